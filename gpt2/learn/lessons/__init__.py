"""The lessons in their order, a folder each."""

from gpt2.errors import SettingsError
from gpt2.learn.lesson import Lesson

from .configuration import LESSON as CONFIGURATION
from .generation import LESSON as GENERATION
from .layer_norm import LESSON as LAYER_NORM
from .lm_head import LESSON as LM_HEAD
from .stack import LESSON as STACK

LESSONS = (
    CONFIGURATION,
    LAYER_NORM,
    STACK,
    LM_HEAD,
    GENERATION,
)


def lesson_of(number: int) -> Lesson:
    """A lesson by its number.

    Raises:
        SettingsError: if there is none with this number.
    """
    for lesson in LESSONS:
        if lesson.number == number:
            return lesson
    numbers = ", ".join(str(lesson.number) for lesson in LESSONS)
    raise SettingsError(f"There is no lesson {number}; the lessons are {numbers}.")
