"""Lesson 5: how does a word become numbers that can be computed with?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(5))
