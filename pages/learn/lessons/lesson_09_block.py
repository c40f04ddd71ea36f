"""Lesson 9: how do attention and the MLP make one layer?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(9))
