"""One graph as SVG: places and edges as data in, a picture that keys and pointer can follow and a selection out."""
