"""Activation patching: what a part computed of one prompt, put in its place while the model reads another."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gpt2.errors import SettingsError
from gpt2.model.interventions import Interventions
from gpt2.text.one_token import token_id
from gpt2.trace.trace import Trace

from .ablation import Result
from .effect import Effect, check_tokens, first_two
from .part import Part, Positions, where
from .passes import Prompt, observe, read

if TYPE_CHECKING:
    from gpt2.engine.engine import Engine


@dataclass(frozen=True)
class Pair:
    """Two runs, one of which is patched into the other, and the two tokens that tell them apart.

    Attributes:
        source: the run whose activations are taken (often called clean).
        destination: the run that is changed (corrupted).
        token: the source's first token, unless another is chosen.
        against: the destination's first token, unless another is chosen.
        shift: how many positions later a token of the source stands in the destination; 0 unless their ends are
            aligned.
    """

    source: Trace
    destination: Trace
    token: int
    against: int
    shift: int = 0

    @classmethod
    def of(
        cls,
        source: Trace,
        destination: Trace,
        align_end: bool = False,
        token: int | None = None,
        against: int | None = None,
    ) -> "Pair":
        """Pair two runs of one model.

        Raises:
            SettingsError: if they have different numbers of tokens and are not aligned at their ends, or if the two
                tokens are the same.
        """
        pair = cls.unlike(source, destination, align_end)
        token, against = pair.token if token is None else token, pair.against if against is None else against
        if token == against:
            raise SettingsError(
                f"Both prompts are followed by {source.vocabulary.label(token)} most likely, so nothing tells them "
                "apart; choose other prompts, or two tokens to compare."
            )
        check_tokens(token, against, source.config.vocab_size)
        return replace(pair, token=token, against=against)

    @classmethod
    def unlike(cls, source: Trace, destination: Trace, align_end: bool = False) -> "Pair":
        """The same, where nothing is measured by two tokens, so that they may be the same.

        Raises:
            SettingsError: if the runs have different numbers of tokens and are not aligned at their ends.
        """
        shift = destination.seq - source.seq
        if shift and not align_end:
            raise SettingsError(
                f"The prompt that is patched from has {source.seq} tokens and the other {destination.seq}; give two of "
                "the same number, or align them at the end."
            )
        first, other = (first_two(trace.steps[-1].logits)[0] for trace in (source, destination))
        return cls(source, destination, first, other, shift)

    @property
    def positions(self) -> range:
        """The destination's positions that have a counterpart in the source."""
        return range(max(0, self.shift), self.destination.seq)

    @property
    def ends(self) -> tuple[float, float]:
        """The logit difference in the destination and in the source: what counts as 0 and as 1."""
        destination, source = (
            float(trace.steps[-1].logits[self.token]) - float(trace.steps[-1].logits[self.against])
            for trace in (self.destination, self.source)
        )
        return destination, source

    def share(self, effect: Effect) -> float:
        """How much of the difference between the two runs a patch restores: 0 none of it, 1 all of it."""
        destination, source = self.ends
        return (effect.difference[1] - destination) / (source - destination)

    def changes(self, part: Part, positions: Positions = None) -> Interventions:
        """The interventions that patch a part at some of the destination's positions; None means all it can.

        Raises:
            SettingsError: if the model has no such part, or a position has no counterpart.
        """
        values = part.values(self.source)
        chosen = list(self.positions) if positions is None else [self._position(at) for at in positions]
        scales = (part.scaled(0, chosen),)
        return Interventions(scales, tuple(part.added(values[at - self.shift], (at,)) for at in chosen))

    def _position(self, position: int) -> int:
        at = position + self.destination.seq if position < 0 else position
        if at not in self.positions:
            raise SettingsError(
                f"There is no position {position} in both prompts; those that can be patched run from "
                f"{self.positions.start} to {self.positions.stop - 1}."
            )
        return at


@dataclass(frozen=True)
class Patched(Result):
    """A patch that was tried.

    Attributes: `share` is how much of the difference between the prompts it restores, 0 for none and 1 for all.
    """

    share: float


def patch_in_words(part: Part, pair: Pair, positions: Positions) -> str:
    """What a patch does, for a label."""
    at = where(positions)
    if positions is None and len(pair.positions) < pair.destination.seq:
        at = f"at the last {len(pair.positions)} positions"
    return f"{part.name} taken from {pair.source.text!r} {at}"


def patch(
    engine: "Engine",
    prompt: Prompt,
    source: Prompt,
    part: Part,
    positions: Positions = None,
    align_end: bool = False,
    token: str | int | None = None,
    against: str | int | None = None,
) -> Patched:
    """Run a prompt with one part as it was while the model read another, and measure what that restores.

    >>> import gpt2
    >>> engine = gpt2.load("bundled")
    >>> found = gpt2.patch(engine, "The king said to his", "The king went to the", gpt2.stream(0))
    >>> round(found.share, 3)  # the whole stream, at all positions: all of it
    1.0

    Args:
        engine: the model.
        prompt: the run that is changed.
        source: the run whose activation is taken.
        part: what is taken: `gpt2.head(layer, head)`, `gpt2.mlp(layer)`, or `gpt2.stream(layer)`, before that block.
        positions: of the changed run; None means all that both have.
        align_end: pair the prompts from their ends, if they have different numbers of tokens.
        token: the token that tells the source, its text or its id; unless given, its most likely next one.
        against: the token that tells the prompt; unless given, its most likely next one.

    Raises:
        PromptError: if a prompt cannot be run.
        SettingsError: if the prompts cannot be paired, or the model has no such part or position.
        EngineError: if the pass overflowed.
    """
    part.check(engine.config)
    watched = token_id(token, engine.tokenizer), token_id(against, engine.tokenizer)
    pair = Pair.of(observe(engine, source), observe(engine, prompt), align_end, *watched)
    changes = pair.changes(part, positions)
    after = read(engine, pair.destination.computed_ids, changes).logits
    effect = Effect(pair.destination.steps[-1].logits, after, pair.token, pair.against)
    return Patched(changes, patch_in_words(part, pair, positions), effect, pair.share(effect))
