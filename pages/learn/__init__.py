"""The lessons, each on a page of its own: a view and a lesson in, its lines under glass, questions and blanks out."""
