"""The text in the prompt box: counted while it is typed, and why it cannot run."""

from dataclasses import dataclass

from gpt2.checkpoints.weights import Checkpoint
from gpt2.errors import GPT2Error
from gpt2.text.prompt import check_context, count_tokens
from pages.server.limits import limits


@dataclass
class TypedPrompt:
    """What is known of the text that was typed or tried last.

    Attributes:
        text: the text; None before anything was typed.
        tokens: how many tokens it has, once they are counted.
        error: why it cannot run, in one sentence; None if nothing is known against it.
        model: the name of the model that tokens and error are of; its weights are not held.
    """

    text: str | None = None
    tokens: int | None = None
    error: str | None = None
    model: str | None = None

    def take(self, text: str, checkpoint: Checkpoint) -> None:
        """Note a text; of another one than before, or with another model, nothing is known."""
        if (text, checkpoint.name) != (self.text, self.model):
            self.text, self.tokens, self.error, self.model = text, None, None, checkpoint.name

    def count(self, text: str, checkpoint: Checkpoint) -> None:
        """Count the tokens of a text, and check whether they fit; one that Run has refused stays refused."""
        self.take(text, checkpoint)
        try:
            self.tokens = tokens = count_tokens(text, checkpoint.tokenizer)
            check_context(tokens, checkpoint.config)
            limits().check_prompt(tokens)
        except GPT2Error as error:
            self.error = str(error)
