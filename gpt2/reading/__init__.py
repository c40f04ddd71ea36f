"""Readings of a trace with NumPy alone: captures in, lens rows, patterns, neighbours and reports out."""
