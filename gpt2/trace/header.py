"""The JSON header of a trace file: everything about a run's steps that is no array, checked when it is read."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from gpt2.errors import TraceError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import ACTIVATIONS
from gpt2.model.interventions import Addition, Interventions, Scale
from gpt2.model.sampling import Draw, Sampling

from .arrays import Layout
from .captures import Captures
from .data import Lineage, TraceData
from .step import LensRows, Step, Summary
from .timing import Timing

FORMAT = "gpt2-under-glass trace"
VERSIONS = (1, 2, 3, 4, 5, 6, 7)  # 7: a token may have been chosen, without a `u`
# The first version whose `hook_normalized` is a norm's vector before gain and bias, with `hook_scale` beside it.
TODAYS_NORMS = 6
# Eleven days; milliseconds of a step are far below.
MOST_MS = 1e9
NAME_CHARACTERS = 4096

Saved = dict[str, Any]


def to_header(trace: TraceData, layout: Layout) -> Saved:
    """What `Steps`, `name` and `lineage` read back."""
    before = (None, *(step.interventions for step in trace.steps))
    return {
        "format": FORMAT,
        "version": VERSIONS[-1],
        "activations": ACTIVATIONS,
        "level": layout.level,
        "first_logits": layout.first_logits,
        "model": trace.model,
        "run_id": trace.run_id,
        "config": trace.config.to_dict(),
        "lineage": None if trace.lineage is None else asdict(trace.lineage),
        "steps": [
            {
                "ids": step.ids,
                "ms": step.ms,
                "timing": None if step.timing is None else asdict(step.timing),
                "draw": None if step.draw is None else asdict(step.draw),
                # None if they are those of the step before: a vector for each step would be megabytes.
                "interventions": None if step.interventions == known else asdict(step.interventions),
            }
            for step, known in zip(trace.steps, before, strict=False)
        ],
    }


def check_version(header: Saved) -> None:
    """Refuse what is no trace, or one of a version that this program does not know.

    Raises:
        TraceError: if so.
    """
    if header["format"] != FORMAT:
        raise TraceError("This file is not a trace.")
    if header["version"] not in VERSIONS:
        raise TraceError(f"This trace has version {header['version']}; this program reads at most {VERSIONS[-1]}.")


class Steps:
    """The steps that a header lists, without their arrays.

    Attributes: `ids`, the tokens that went in at each; `interventions`, one a step.
    """

    def __init__(self, saved: list[Saved], config: GPT2Config) -> None:
        """Read and check tokens and interventions.

        Raises:
            TraceError: if the steps do not follow from each other, or have a token outside the vocabulary.
            SettingsError: if the interventions do not fit the model.
        """
        self._saved, self._config = saved, config
        self.ids = _ids(saved, config)
        self.interventions = list(_interventions(saved, config))

    def with_arrays(
        self, arrays: Sequence[tuple[Captures, Summary | None]], lenses: Sequence[LensRows | None]
    ) -> tuple[Step, ...]:
        """The whole steps.

        Raises:
            TraceError: if a number is out of its range, or a summary does not fit its step.
        """
        starts = [0]
        for ids in self.ids:
            starts.append(starts[-1] + len(ids))
        parts = zip(self._saved, self.ids, pairwise(starts), self.interventions, arrays, lenses, strict=True)
        return tuple(self._step(*part) for part in parts)

    def _step(
        self,
        saved: Saved,
        ids: list[int],
        span: tuple[int, int],
        interventions: Interventions,
        stored: tuple[Captures, Summary | None],
        lens: LensRows | None,
    ) -> Step:
        captures, summary = stored
        draw = None if saved["draw"] is None else _draw(saved["draw"], self._config)
        if summary is not None and (summary.surprisal is None) != (draw is None):
            raise TraceError("This trace has a surprisal where nothing was drawn, or none where something was.")
        return Step(
            ids=tuple(ids),
            start=span[0],
            captures=captures,
            draw=draw,
            ms=_number(saved["ms"], MOST_MS),
            lens=lens,
            interventions=interventions,
            summary=summary,
            timing=_timing(saved.get("timing")),  # none in files that were written before it was measured
        )


def name(saved: object) -> str:
    """A model's name or a run's: one that a page can send.

    Raises:
        TraceError: if it is none.
    """
    if not isinstance(saved, str) or len(saved) > NAME_CHARACTERS or saved != saved.encode(errors="replace").decode():
        raise TraceError("This trace has a name that is no text, or far too long.")
    return saved


def lineage(saved: Saved | None) -> Lineage | None:
    """The origin of a branch."""
    return None if saved is None else Lineage(name(saved["parent"]), int(saved["steps"]))


def _ids(steps: list[Saved], config: GPT2Config) -> list[list[int]]:
    """The tokens that went in at each step: after the first, the one that the step before drew."""
    ids = [[int(token) for token in step["ids"]] for step in steps]
    drawn = [None if step["draw"] is None else int(step["draw"]["token"]) for step in steps]
    tokens = (*(token for step in ids for token in step), *(token for token in drawn if token is not None))
    if any(not 0 <= token < config.vocab_size for token in tokens):
        raise TraceError("This trace has a token outside its vocabulary.")
    if not ids or not ids[0] or ids[1:] != [[token] for token in drawn[:-1]]:
        raise TraceError("The steps of this trace do not follow from each other: each takes the token drawn before.")
    return ids


def _interventions(steps: list[Saved], config: GPT2Config) -> Iterator[Interventions]:
    newest: Interventions | None = None
    for step in steps:
        if (saved := step["interventions"]) is not None or newest is None:
            newest = Interventions(
                tuple(Scale(**scale) for scale in saved["scales"]), tuple(Addition(**add) for add in saved["additions"])
            )
            newest.check(config)
        yield newest


def _timing(saved: Saved | None) -> Timing | None:
    if saved is None:
        return None
    milliseconds = {part: _number(ms, MOST_MS) for part, ms in saved.items()}
    if "keeping" in milliseconds:  # as "storing" was called up to version 4
        milliseconds["storing"] = milliseconds.pop("keeping")
    return Timing(**milliseconds)


def _draw(saved: Saved, config: GPT2Config) -> Draw:
    sampling = Sampling(**saved["sampling"])
    sampling.check_vocabulary(config.vocab_size)
    return Draw(int(saved["token"]), None if saved["u"] is None else _number(saved["u"], 1), sampling)


def _number(value: object, below: float) -> float:
    number = float(str(value))
    if math.isnan(number) or not 0 <= number < below:
        raise TraceError(f"This trace has {number} where a number from 0 to below {below:g} belongs.")
    return number
