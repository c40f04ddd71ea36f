"""Lesson 4: what does each token make of what it has read?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(4))
