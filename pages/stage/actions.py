"""What a visitor can do on the stage: one dataclass an action, parsed once, where it arrives from the browser."""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gpt2.errors import SettingsError

SLOWEST_PAINT_MS = 10_000
# No setting has more: 2^63, and a sign.
MOST_DIGITS = 20
MOST_QUOTED = 60

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """The settings beside the prompt; None for one that the browser did not send, which stays as it is.

    `unreadable` has a sentence for each that is no number, by the setting's name.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    max_new_tokens: int | None = None
    speed: float | None = None
    ignore_eos: bool | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunPrompt:
    """Begin a run of this text."""

    text: str
    settings: Settings


@dataclass(frozen=True)
class Play:
    """Generate from the step under the cursor."""

    cursor: int | None
    settings: Settings


@dataclass(frozen=True)
class StepOn:
    """Generate one token from the step under the cursor."""

    cursor: int | None
    settings: Settings


@dataclass(frozen=True)
class Branch:
    """Generate from a step with this token in place of the one that was drawn there."""

    step: int
    token: int
    settings: Settings


@dataclass(frozen=True)
class ShowBranch:
    """Put the branch of this number on the stage, at a step."""

    number: int
    step: int


@dataclass(frozen=True)
class Pause:
    """Stop generating."""


@dataclass(frozen=True)
class ChangeSettings:
    """Take these settings; the newest token is resampled with them if the cursor is on it."""

    cursor: int | None
    settings: Settings


@dataclass(frozen=True)
class Draft:
    """The text in the prompt box, while it is typed."""

    text: str


@dataclass(frozen=True)
class View:
    """What the visitor looks at: the step under the cursor, the locked (layer, head), and the time to paint a step.

    Attributes:
        is_narrow: whether the window is too narrow for pictures that need much room.
        watched: the position of the prompt that he looks at.
        follows: whether the head in the frame is each step's sharpest, while none is locked.
    """

    cursor: int | None = None
    head: tuple[int, int] | None = None
    paint_ms: float | None = None
    is_narrow: bool = False
    follows: bool = False
    watched: int | None = None


@dataclass(frozen=True)
class ChooseModel:
    """Load this model for the runs to come."""

    name: str


@dataclass(frozen=True)
class CancelModel:
    """Stay with the loaded model."""


@dataclass(frozen=True)
class CheckRun:
    """Check the numbers of the run on the stage, which rests."""


@dataclass(frozen=True)
class ReadWhole:
    """Read the whole text of the run on the stage in one pass, to check its steps."""


@dataclass(frozen=True)
class OpenNumber:
    """Show the arithmetic of a number of the run on the stage.

    Attributes:
        kind, hook, index: as `reading.arithmetic.open_number` takes them.
        name: what the browser calls it.
    """

    kind: str
    hook: str
    index: tuple[int, ...]
    name: str


@dataclass(frozen=True)
class Malformed:
    """An action that cannot be read: why, in one sentence."""

    error: str


OfRun = RunPrompt | Play | StepOn | Branch | ShowBranch | Pause | CheckRun | ReadWhole | OpenNumber
ByStage = Draft | View | CheckRun  # what the stage says by itself; a visitor presses all else
Action = OfRun | ChangeSettings | Draft | View | ChooseModel | CancelModel | Malformed


def parse(name: str, values: Values) -> Action | None:
    """The action of this name; None if there is none."""
    try:
        match name:
            case "run":
                return RunPrompt(_text(values), _settings(values))
            case "play":
                return Play(whole(values, "cursor", "The step"), _settings(values))
            case "step":
                return StepOn(whole(values, "cursor", "The step"), _settings(values))
            case "branch":
                step, token = whole(values, "cursor", "The step"), whole(values, "token", "The token")
                if step is None or token is None:
                    raise SettingsError("A branch needs a step and a token; press a token again.")
                return Branch(step, token, _settings(values))
            case "show":
                branch, step = whole(values, "number", "The branch"), whole(values, "cursor", "The step")
                if branch is None or step is None:
                    raise SettingsError("Which branch to show, and at which step, was not said; press a token again.")
                return ShowBranch(branch, step)
            case "settings":
                return ChangeSettings(whole(values, "cursor", "The step"), _settings(values))
            case "view":
                layer, head = whole(values, "layer", "The layer"), whole(values, "head", "The head")
                locked = None if layer is None or head is None else (layer, head)
                cursor, paint_ms = whole(values, "cursor", "The step"), paint_time(values.get("paint_ms"))
                is_narrow, follows = (bool(switch(values, name)) for name in ("is_narrow", "follows"))
                return View(cursor, locked, paint_ms, is_narrow, follows, whole(values, "watched", "The position"))
            case "draft":
                return Draft(_text(values))
            case "model":
                return ChooseModel(str(values.get("name", "")))
            case "pause":
                return Pause()
            case "cancel":
                return CancelModel()
            case "check":
                return CheckRun()
            case "read_whole":
                return ReadWhole()
            case "number":
                kind, hook, named = (str(values.get(part, "")) for part in ("kind", "hook", "name"))
                index = values.get("index")
                if isinstance(index, list) and all(isinstance(at, int) for at in index):
                    return OpenNumber(kind, hook, tuple(index), named)
                return Malformed("A number has an index of whole numbers.")
    except SettingsError as error:
        return Malformed(str(error))
    return None


def _text(values: Values) -> str:
    return str(values.get("text", ""))


def _settings(values: Values) -> Settings:
    readers: dict[str, Callable[[], float | None]] = {
        "temperature": lambda: number(values, "temperature"),
        "top_k": lambda: whole(values, "top_k", "Top-k"),
        "top_p": lambda: number(values, "top_p"),
        "seed": lambda: whole(values, "seed", "The seed"),
        "max_new_tokens": lambda: whole(values, "max_new_tokens", "The number of new tokens"),
        "speed": lambda: number(values, "speed"),
        "ignore_eos": lambda: switch(values, "ignore_eos"),
    }
    read: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for name, reader in readers.items():
        try:
            read[name] = reader()
        except SettingsError as error:
            unreadable[name] = str(error)
    return Settings(**read, unreadable=unreadable)


def switch(values: Values, name: str) -> bool | None:
    """On or off, from the browser; None if it was not sent.

    Raises:
        SettingsError: if it is neither.
    """
    value = values.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise SettingsError(f"{name} must be true or false, not {quoted(value)}.")


def number(values: Values, name: str) -> float | None:
    """A number from the browser, which may be text that a person typed; None if it was not sent.

    Raises:
        SettingsError: if it is no number, or far too large to be one of ours.
    """
    value = values.get(name)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        raise SettingsError(f"{name.replace('_', '-').capitalize()} must be a number, not {quoted(value)}.") from None


def whole(values: Values, name: str, title: str) -> int | None:
    """A whole number from the browser; None if it was not sent.

    Raises:
        SettingsError: if it is none, or has more digits than any of ours.
    """
    value = values.get(name)
    try:
        if value is None:
            return None
        text = str(value)
        if len(text) <= MOST_DIGITS:
            return int(text)
    except ValueError:
        pass
    raise SettingsError(f"{title} must be a whole number, not {quoted(value)}.")


def quoted(value: object) -> str:
    """A value as a message quotes it; of a long one some parts."""
    try:
        text = reprlib.repr(value)
        return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"
    except ValueError:  # Python does not write a number of thousands of digits
        return "one of thousands of digits"


def paint_time(sent: object) -> float | None:
    """The milliseconds that a browser needs to paint a step; None if it sent none, or what cannot be."""
    if not isinstance(sent, int | float) or isinstance(sent, bool) or not 0 <= sent <= SLOWEST_PAINT_MS:
        return None
    return float(sent)
