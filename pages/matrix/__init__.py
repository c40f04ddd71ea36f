"""One dense matrix on a canvas: a picture as data in, a panel with values under the pointer and a selection out."""
