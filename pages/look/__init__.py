"""One visual language: a concept in, its colour out; the palettes of the light and the dark theme."""
