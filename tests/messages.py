"""Messages to the stage in tests: what they are made of, and how a browser reads them."""

import json

from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.stage.snapshot import Snapshot, Status


def snapshot(trace: Trace) -> Snapshot:
    """A stage with a recorded run on it, and markup in the prompt."""
    return Snapshot(
        trace=trace,
        ids=trace.ids,
        prompt_tokens=len(trace.prompt_ids),
        tables=None,
        status=Status("recorded", "A recorded run."),
        prompt="<b>&\n",
        draft_tokens=None,
        draft_error=None,
        context=trace.config.n_positions,
        sampling=Sampling(),
        max_new_tokens=40,
        most_new_tokens=512,
        model="bundled",
        models=(),
        examples=(),
        tick_ms=40,
    )


def read(parcel: bytes) -> tuple[dict, dict[int, bytes]]:
    """Header and records by stamp, as the browser reads them."""
    at = 4 + int.from_bytes(parcel[:4], "little")
    header, records = json.loads(parcel[4:at]), {}
    for stamp, length in header["records"]:
        assert at % 4 == 0
        records[stamp] = parcel[at : at + length]
        at += length
    assert at == len(parcel)
    return header, records
