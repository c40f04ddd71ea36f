"""Lesson 13: how does one model answer many at once? Shown on a server where one runs, else on a recorded example."""

from pages.learn.serve.show import show

show()
