"""Pictures of a run and its branches: the tree, and where two of its runs part."""
