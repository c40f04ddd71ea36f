"""The charts of sampling: a distribution in, its columns, draw, curves and sentences out."""
