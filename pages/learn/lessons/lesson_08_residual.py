"""Lesson 8: how does attention add to the stream without spoiling it?"""

from gpt2.learn.lessons import lesson_of
from pages.learn.lesson import show

show(lesson_of(8))
