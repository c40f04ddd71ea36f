"""The lessons in their order, a folder each."""

from gpt2.errors import SettingsError
from gpt2.learn.lesson import Lesson

from .attention import LESSON as ATTENTION
from .block import LESSON as BLOCK
from .causal_mask import LESSON as CAUSAL_MASK
from .configuration import LESSON as CONFIGURATION
from .generation import LESSON as GENERATION
from .layer_norm import LESSON as LAYER_NORM
from .lm_head import LESSON as LM_HEAD
from .mlp import LESSON as MLP
from .position_embeddings import LESSON as POSITION_EMBEDDINGS
from .residual import LESSON as RESIDUAL
from .stack import LESSON as STACK
from .token_embeddings import LESSON as TOKEN_EMBEDDINGS

LESSONS = (
    CONFIGURATION,
    CAUSAL_MASK,
    LAYER_NORM,
    MLP,
    TOKEN_EMBEDDINGS,
    POSITION_EMBEDDINGS,
    ATTENTION,
    RESIDUAL,
    BLOCK,
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
    if number == len(LESSONS) + 1:
        raise SettingsError(
            f"Lesson {number}, about serving, is a page of the app; the lessons with a file are {numbers}."
        )
    raise SettingsError(f"There is no lesson {number}; the lessons are {numbers}.")
