"""From the text a person typed to the tokens a model can take: exactly that text, or one clear sentence why not."""

from .config import GPT2Config
from .errors import PromptError
from .tokenizer import Tokenizer

# Far more than any GPT-2 context holds; a paste of megabytes must not keep the machine busy.
MAX_CHARACTERS = 200_000


def count_tokens(text: str, tokenizer: Tokenizer) -> int:
    """How many tokens a text has.

    Raises:
        PromptError: if it is not text, or far too long to be a prompt.
    """
    if len(text) > MAX_CHARACTERS:
        raise PromptError(
            f"The prompt has {len(text):,} characters; no more than {MAX_CHARACTERS:,} are read; shorten it."
        )
    return len(tokenizer.encode(text))


def encode_prompt(text: str, tokenizer: Tokenizer, config: GPT2Config) -> tuple[int, ...]:
    """Token ids of the prompt, whitespace and all.

    Raises:
        PromptError: if the prompt is empty, is not text, or does not fit the context.
    """
    if not text:
        raise PromptError("The prompt is empty; type at least one character.")
    count = count_tokens(text, tokenizer)
    if (over := count - config.n_positions) > 0:
        raise PromptError(
            f"The prompt has {count} tokens, {over} more than the {config.n_positions} this model can read; shorten it."
        )
    return tuple(tokenizer.encode(text))
