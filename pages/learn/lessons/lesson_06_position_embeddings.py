"""Lesson 6: how does the model know in which order the words stand?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(6))
