"""Lesson 3: how does every layer get numbers of the same size?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(3))
