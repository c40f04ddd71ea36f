"""From the text a person typed to the tokens a model can take: exactly that text, or one clear sentence why not."""

from .config import GPT2Config
from .errors import PromptError
from .tokenizer import Tokenizer


def encode_prompt(text: str, tokenizer: Tokenizer, config: GPT2Config) -> tuple[int, ...]:
    """Token ids of the prompt, whitespace and all.

    Raises:
        PromptError: if the prompt is empty, is not text, or does not fit the context.
    """
    if not text:
        raise PromptError("The prompt is empty; type at least one character.")
    ids = tokenizer.encode(text)
    if (over := len(ids) - config.n_positions) > 0:
        raise PromptError(
            f"The prompt has {len(ids)} tokens, {over} more than the {config.n_positions} this model can read; "
            "shorten it."
        )
    return tuple(ids)
