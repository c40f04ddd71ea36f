"""A run as one HTML file: the live stage with all that it shows of each step, in any browser, without this program."""

import gzip
from base64 import b64encode
from dataclasses import replace

from gpt2.errors import TraceError
from gpt2.model.sampling import Sampling
from gpt2.trace.trace import Trace
from pages.look.outside import theme_variables
from pages.look.palette import DARK, LIGHT

from .code import joined
from .message import encode_whole
from .record_cache import RecordCache
from .rest import Rest
from .snapshot import Inspected, Link, Snapshot, Status

MOST_BYTES = 40_000_000  # of all records, before they are packed
TOO_LONG = "This run is too long for a page of its own; save it as a run, or press Run with fewer tokens."
OFFERS_A_BRANCH = " A click on one offers a branch."  # what a panel says of itself; here there is none to make it
TEMPLATE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>GPT-2 under glass: a run</title>
<style>
html {{ {light} color-scheme: light dark; background: {light_paper}; font-family: sans-serif; }}
@media (prefers-color-scheme: dark) {{ html {{ {dark} background: {dark_paper}; }} }}
body {{ margin: 0; padding: 0.75rem 1rem 0; }}
h1 {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
</style>
<main><h1>A run of GPT-2, step by step</h1><div></div></main>
<script>globalThis.gpt2Stage = {{ waiting: [], isAlone: true }};</script>
<script type="module">
{script}
const packed = Uint8Array.from(atob("{data}"), (letter) => letter.charCodeAt(0));
const message = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const data = new Uint8Array(await new Response(message).arrayBuffer());
gpt2Stage.show({{ parentElement: document.querySelector("main > div"), data }});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("resize")));
</script>
"""


def replay_page(snapshot: Snapshot) -> bytes:
    """The page of the run on the stage: it asks nothing of anybody, and has no place for a prompt or a setting.

    Raises:
        TraceError: if the run has no steps, or too many.
    """
    if not snapshot.trace.steps:
        raise TraceError("There is no step to put on a page yet; press Run first.")
    message = encode_whole(alone(snapshot), RecordCache(), MOST_BYTES)
    if message is None:
        raise TraceError(TOO_LONG)
    return TEMPLATE.format(
        light=theme_variables(LIGHT),
        light_paper=LIGHT.paper,
        dark=theme_variables(DARK),
        dark_paper=DARK.paper,
        script=joined().replace(OFFERS_A_BRANCH, ""),
        data=b64encode(gzip.compress(message, 6)).decode(),
    ).encode()


def page_of(trace: Trace) -> bytes:
    """The page of a trace, for a notebook; its newest token has no neighbours, for which the weights are needed.

    Raises:
        TraceError: if it has no steps, or too many.
    """
    drawn = [step.draw.sampling for step in trace.steps if step.draw is not None]
    rest = Rest()
    rest.settle(trace, len(trace.steps) - 1)
    return replay_page(
        Snapshot(
            trace=trace,
            ids=trace.ids,
            prompt_tokens=len(trace.prompt_ids),
            tables=None,
            status=Status("recorded", ""),
            prompt=trace.vocabulary.text(trace.prompt_ids),
            draft_tokens=None,
            draft_error=None,
            context=trace.config.n_positions,
            sampling=drawn[-1] if drawn else Sampling(),
            max_new_tokens=1,
            most_new_tokens=1,
            model=trace.model,
            models=(),
            examples=(),
            tick_ms=0,
            rest=rest.head,
        )
    )


def alone(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what only this program can do.

    A run that was made as fast as it went is played at the usual speed: on its page nobody could set another.
    """
    return replace(
        snapshot,
        speed=snapshot.speed or Snapshot.speed,
        status=Status("recorded", ""),
        recorded=True,
        is_starting=False,
        next_prompt=None,
        draft_tokens=None,
        draft_error=None,
        setting_errors={},
        models=(),
        examples=(),
        other_models="",
        coming=None,
        model_error="",
        elsewhere=(),
        link=Link(),
        inspected=Inspected(snapshot.inspected.checks),
    )
