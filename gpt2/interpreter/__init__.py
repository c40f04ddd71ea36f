"""Any MAX graph at once, without compiling it: a traced graph and arrays in, every value that it computes out."""
