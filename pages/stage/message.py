"""One message to the browser: a small JSON header, then the records that this visitor's browser may lack.

A message may be lost, so the newest steps go out several times, and the browser asks for what is still missing.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pages.charts.token_time import TokenTime

from .actions import Action, parse
from .inspected import describe_checks, describe_number
from .record_cache import RecordCache
from .snapshot import Snapshot

# The newest steps are sent this often without being asked for; all others once.
RECENT, REPEATS = 8, 3
MAX_MESSAGE_BYTES = 1_500_000
MAX_REMEMBERED = 4096
TALLEST = 4000  # CSS pixels: no window is higher
MAX_UNSEEN = 16  # more messages than are on their way at a time; the browser remembers as many


@dataclass(frozen=True)
class TypeSize:
    """How large a page's letters are.

    Attributes:
        large: whether they are a presenter's, to be read from the last row.
        filled: the panel that fills the window; empty if none does.
        tall: the window's height in CSS pixels while one does.
    """

    large: bool = False
    filled: str = ""
    tall: int = 0


@dataclass
class BrowserState:
    """What has passed between the program and one visitor's browser.

    Attributes:
        handled: the highest serial of an action that has been given out.
        has_code: whether the browser has said that it holds the stage's code.
        wanted: steps of a run that the browser has asked for.
        sent: how often each step, by its stamp, has been sent.
        number: of the newest message.
        size: how large its letters are.
        unseen: the stamps of the records in each of the newest messages, by its number, until the browser has answered.
    """

    handled: int = 0
    has_code: bool = False
    wanted: tuple[str, tuple[int, ...]] = ("", ())
    sent: Counter[int] = field(default_factory=Counter)
    number: int = 0
    size: TypeSize = TypeSize()
    unseen: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def take(self, received: object) -> tuple[Action, ...]:
        """The actions that have not been taken yet, in their order; what is not an action is left out."""
        new: list[tuple[int, str, dict[str, Any]]] = []
        for message in received if isinstance(received, list) else []:
            match message:
                case {"serial": int(serial), "name": str(name), "values": dict(values)} if serial > self.handled:
                    new.append((serial, name, values))
        actions = []
        for serial, name, values in sorted(new, key=lambda message: message[0]):
            self.handled = serial
            if name == "need":
                run, steps = values.get("run_id"), values.get("steps")
                if isinstance(run, str) and isinstance(steps, list):
                    self.wanted = run, tuple(step for step in steps if isinstance(step, int))
            elif name == "code":
                self.has_code = True
            elif name == "size":
                self._take_size(values)
            elif name == "tick":
                self._note_seen(values.get("seen"))
            elif (action := parse(name, values)) is not None:
                actions.append(action)
        return tuple(actions)

    def _take_size(self, values: Mapping[str, object]) -> None:
        match values:
            case {"large": bool(large), "filled": str(filled), "tall": int(tall)}:
                self.size = TypeSize(large, filled, min(max(tall, 0), TALLEST))

    def note_sent(self, stamps: list[int]) -> None:
        """Count the records of a message that goes out now, the next `number`."""
        if len(self.sent) > MAX_REMEMBERED:
            self.sent.clear()
            self.unseen.clear()
        self.sent.update(stamps)
        self.number += 1
        self.unseen[self.number] = tuple(stamps)
        self.unseen.pop(self.number - MAX_UNSEEN, None)

    def _note_seen(self, seen: object) -> None:
        """Take the numbers of the messages that the browser has shown; older ones that it has not count as not sent.

        Of messages that come together Streamlit shows the newest: the others, and their records, are lost.
        """
        if not (isinstance(seen, list) and seen and all(isinstance(number, int) for number in seen)):
            return
        for number in [number for number in self.unseen if number <= seen[-1]]:
            stamps = self.unseen.pop(number)
            if number not in seen:
                self.sent.subtract(stamps)

    def choose(self, run_id: str, stamps: list[int]) -> list[int]:
        """Which steps to send now, in the order of their importance."""
        run, steps = self.wanted
        wanted = [step for step in steps if 0 <= step < len(stamps)] if run == run_id else []
        self.wanted = "", ()
        newest = range(len(stamps) - 1, -1, -1)
        due = [n for n in newest if self.sent[stamps[n]] < (REPEATS if n >= len(stamps) - RECENT else 1)]
        return list(dict.fromkeys([*wanted, *due]))


def encode_message(
    snapshot: Snapshot, view: Literal["live", "strip"], browser: BrowserState, cache: RecordCache, page: str = ""
) -> bytes:
    """The bytes of one message: header length (uint32), header, records; every record begins on four bytes.

    It names the `page` that it is drawn for, so that the browser knows whether that is the one that is being left.
    """
    trace = snapshot.trace
    stamps = cache.stamps(trace, snapshot.tables)
    records: dict[int, bytes] = {}
    total = 0
    for index in browser.choose(trace.run_id, stamps):
        record = cache.record(trace, index, snapshot.tables)
        if records and total + len(record) > MAX_MESSAGE_BYTES:
            break
        records[index], total = record, total + len(record)
    browser.note_sent([stamps[index] for index in records])
    header = {
        **describe(snapshot),
        "view": view,
        "page": page,
        "has_code": browser.has_code,
        "echo": browser.handled,
        "number": browser.number,
        "epoch": cache.epoch,
        "stamps": stamps,
    }
    return _joined(header, records)


def encode_whole(snapshot: Snapshot, cache: RecordCache, most_bytes: int) -> bytes | None:
    """One message with all records, for the live stage; None if they take more bytes than that."""
    trace, records, total = snapshot.trace, dict[int, bytes](), 0
    for index in range(len(trace.steps)):
        records[index] = cache.record(trace, index, snapshot.tables)
        total += len(records[index])
        if total > most_bytes:
            return None
    stamps = cache.stamps(trace, snapshot.tables)
    sent = {"view": "live", "page": "", "has_code": True, "echo": 0, "number": 1}
    return _joined({**describe(snapshot), **sent, "epoch": cache.epoch, "stamps": stamps}, records)


def _joined(header: dict[str, Any], records: Mapping[int, bytes]) -> bytes:
    header["records"] = [[header["stamps"][index], len(record)] for index, record in records.items()]
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([len(text).to_bytes(4, "little"), text, *records.values()])


def describe(snapshot: Snapshot) -> dict[str, Any]:
    """The header's part that tells of the run and the controls."""
    trace = snapshot.trace
    time = TokenTime.of(trace)
    return {
        "run": trace.run_id,
        "labels": [trace.vocabulary.label(token) for token in snapshot.ids],
        "prompt_tokens": snapshot.prompt_tokens,
        "n_layer": trace.config.n_layer,
        "n_head": trace.config.n_head,
        "d_model": trace.config.n_embd,
        "vocab": trace.config.vocab_size,
        "run_model": trace.model,
        "token_time": None if time is None else {"ms": time.ms, "unit": time.unit, "says": time.sentence},
        "status": asdict(snapshot.status),
        "recorded": snapshot.recorded or snapshot.status.kind == "recorded",
        "prompt": snapshot.prompt,
        "next_prompt": snapshot.next_prompt,
        "draft_tokens": snapshot.draft_tokens,
        "draft_error": snapshot.draft_error,
        "context": snapshot.context,
        "sampling": snapshot.sampling.to_dict(),
        "max_new_tokens": snapshot.max_new_tokens,
        "ignore_eos": snapshot.ignore_eos,
        "speed": snapshot.speed,
        "setting_errors": dict(snapshot.setting_errors),
        "starting": snapshot.is_starting,
        "most_new_tokens": snapshot.most_new_tokens,
        "model": snapshot.model,
        "next_model": snapshot.next_model,
        "models": [asdict(choice) for choice in snapshot.models],
        "examples": [asdict(example) for example in snapshot.examples],
        "other_models": snapshot.other_models,
        "model_error": snapshot.model_error,
        "coming": asdict(snapshot.coming) if snapshot.coming else None,
        "tick_ms": snapshot.tick_ms,
        "rest": asdict(snapshot.rest) if snapshot.rest else None,
        "elsewhere": [asdict(one) for one in snapshot.elsewhere],
        "link": asdict(snapshot.link),
        "checks": describe_checks(snapshot.inspected),
        "opened": describe_number(snapshot.inspected.number),
    }
