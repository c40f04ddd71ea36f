"""Building GPT-2 in twelve lessons: a reader's file in, a verdict that names the mistake out, in a second."""
