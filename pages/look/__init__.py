"""One visual language: a concept in, its colour out; a number in, its text out; the same in Python and JavaScript."""
