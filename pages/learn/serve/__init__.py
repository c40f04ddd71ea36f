"""Lesson 13: a request in; how a server answers it, alone and among eight, beside the engine's own text, out."""
