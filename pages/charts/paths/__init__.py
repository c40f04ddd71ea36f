"""Pictures of where an answer came from: the graph of its paths, what arrives at a place, and by which heads."""
