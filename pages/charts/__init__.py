"""Pure functions: a trace in, a picture and the sentence that quotes its numbers out."""
