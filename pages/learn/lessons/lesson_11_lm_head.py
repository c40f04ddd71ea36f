"""Lesson 11: how does the last vector become a score for every token?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(11))
