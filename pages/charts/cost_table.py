"""What a run costs, as a small table, and the formula of its KV cache with the real numbers in it."""

from dataclasses import dataclass
from statistics import median

import altair as alt

from gpt2.trace.captures import Level
from gpt2.trace.trace import Trace
from pages.look.numbers import adding_up, fixed
from pages.look.palette import Palette

from . import style
from .cost import generated, milliseconds, timings
from .style import ChartData
from .token_time import NAMES, TokenTime, is_split, total_ms

FORMULA = r"\text{KV cache} = 2 \cdot n_\text{layer} \cdot n_\text{embd} \cdot 4\,\text{bytes} \cdot \text{positions}"
TITLE = "What this run costs"
ROW = 28
NOTHING_COMPILED = "none; the graphs were stored"


@dataclass(frozen=True)
class CostFacts:
    """CostFacts about a run that its trace does not hold.

    Attributes:
        is_live: whether this visitor made the run, so that it has a KV cache.
        budget: bytes that its trace may hold; None without a limit.
        is_loaded, is_loading: whether the model that made the run is loaded, or being loaded.
        downloading, loading, compiling: seconds that each of these took for this model; 0 if it was not needed.
        paint_ms: milliseconds to paint a step on the Live page, timed by the browser; None until it is timed.
        notice: the sentence to show if the run was evicted.
    """

    is_live: bool
    budget: int | None
    is_loaded: bool
    is_loading: bool = False
    downloading: float = 0.0
    loading: float = 0.0
    compiling: float = 0.0
    paint_ms: float | None = None
    notice: str = ""


def cost_table_chart(table: ChartData, palette: Palette) -> style.Figure:
    """The table as a chart: names on the left, amounts on the right."""
    frame: ChartData = [{"line": at - 0.5} for at in range(len(table) + 1)]
    lines: ChartData = [{"line": at, **row} for at, row in enumerate(table)]
    return style.Figure(_look(palette, len(table)), {"lines": lines, "frame": frame})


@style.look
def _look(palette: Palette, n_lines: int) -> style.AltairChart:
    y = alt.Y("line:Q", scale=alt.Scale(reverse=True, nice=False), axis=None)
    left, right = alt.value(0), alt.value("width")
    lines, frame = style.named("lines"), style.named("frame")
    layers = [
        frame.mark_point(opacity=0).encode(y=y),
        frame.mark_rule(color=palette.line).encode(x=left, x2=right, y=y),
        *(
            lines.transform_filter(f"{sign}datum.is_part").mark_text(align="left", dx=dx, fontSize=size, color=colour)
            .encode(x=left, y=y, text="what:N")
            for sign, dx, size, colour in (("!", 0, style.TEXT, palette.text), ("", 14, style.LABEL, palette.muted))
        ),
        lines.mark_text(align="right", fontSize=style.LABEL, color=palette.text).encode(
            x=right, y=y, text="measured:N"
        ),
    ]  # fmt: skip
    return style.dressed(alt.layer(*layers), palette, ROW * n_lines)


def in_words(table: ChartData) -> str:
    """The whole table as text, for screen readers."""
    return ". ".join(f"{row['what']}: {row['measured']}" for row in table)


def cost_table(run: Trace, facts: CostFacts) -> ChartData:
    """Rows of a name, an amount, and whether it is a part of the token above. None quotes a visitor's text."""
    read, count = total_ms(run.steps[0], is_split(run)), len(run.steps[0].ids)
    lines = [("Prompt", f"{count:,} tokens in {milliseconds(read)}, {milliseconds(read / count)} each")]
    if (token := TokenTime.of(run)) is not None:
        name = "A token" if token.is_whole else "A forward pass"
        lines.append((name, f"{milliseconds(token.ms)}, {token.basis}"))
    if split := timings(generated(run)):
        for part, name in NAMES.items():
            spent = [getattr(timing, part) for timing in split]
            most = f", {milliseconds(max(spent))} at most" if part == "waiting" else ""
            lines.append((name, f"{milliseconds(median(spent))}{most}"))
    lines.append(("painting", painting(facts)))
    lines.append(("KV cache", kv_line(run, facts)))
    lines.append(("Trace", trace_line(run, facts)))
    lines += squeezed_lines(run)
    if facts.is_loaded:
        lines.append(("Loading", f"{facts.loading:.1f} s{downloading(facts)}"))
        lines.append(("Compiling", f"{facts.compiling:.0f} s" if facts.compiling else NOTHING_COMPILED))
    else:
        lines.append(("Loading", "in progress" if facts.is_loading else "the model of this run is not loaded"))
    return [{"what": what, "measured": measured, "is_part": what[0].islower()} for what, measured in lines]


def painting(facts: CostFacts) -> str:
    """The time to paint a step on the Live page."""
    return "not timed; open Live" if facts.paint_ms is None else f"{milliseconds(facts.paint_ms)} in this browser"


def downloading(facts: CostFacts) -> str:
    """The time of the download, if there was one."""
    return f", after {facts.downloading:.0f} s of download" if facts.downloading else ""


def kv_bytes(run: Trace) -> int:
    """Bytes of the keys and values of all positions so far."""
    return 2 * run.config.n_layer * run.config.n_embd * 4 * run.seq


def kv_line(run: Trace, facts: CostFacts) -> str:
    """The size of the KV cache; of a recorded run, the size if it is continued."""
    size = in_bytes(kv_bytes(run))
    return f"{size} for {run.seq:,} positions" if facts.is_live else f"none; {size} if continued"


def trace_line(run: Trace, facts: CostFacts) -> str:
    """The bytes that the trace holds, and its budget."""
    whole = "" if squeezed_lines(run) else ", all steps complete"
    return f"{in_bytes(run.nbytes)}{f' of {in_bytes(facts.budget)}' if facts.budget else ''}{whole}"


def squeezed_lines(run: Trace) -> list[tuple[str, str]]:
    """How many steps are stored in fewer bytes, and how many have dropped their logits or patterns."""
    steps = [step.captures.level for step in run.steps]
    counts = {"squeezed": Level.STREAM, "without logits": Level.NO_LOGITS, "without patterns": Level.NO_PATTERNS}
    reached = ((what, sum(level >= least for level in steps)) for what, least in counts.items())
    return [(what, f"{count:,} of {len(steps):,} steps") for what, count in reached if count]


def in_bytes(count: int) -> str:
    """A size in kB or MB."""
    if count >= 99.5e6:
        return f"{count / 1e6:,.0f}\u00a0MB"
    return f"{count / 1e6:.1f}\u00a0MB" if count >= 1e6 else f"{count / 1e3:.0f}\u00a0kB"


def kv_operands(run: Trace) -> list[str]:
    """The formula with this run's numbers, the growth with each token, and the parts of the newest forward pass."""
    config, step = run.config, run.steps[-1]
    each = 2 * config.n_layer * config.n_embd * 4
    lines = [
        f"2 × {config.n_layer} × {config.n_embd} × 4 bytes × {run.seq} positions = {kv_bytes(run):,} bytes",
        f"so each further token adds {each:,} bytes; a full context of {config.n_positions:,} positions takes "
        f"{in_bytes(each * config.n_positions)}",
    ]
    if step.timing is not None:
        model, capture = adding_up((step.timing.model, step.timing.capture), 3)
        lines.append(
            f"step {len(run.steps) - 1}: model {fixed(model, 3)} + capture {fixed(capture, 3)} = "
            f"{fixed(step.timing.forward, 3)} ms, the forward pass"
        )
    return lines


def why_nothing(facts: CostFacts) -> str:
    """The sentence to show if the run has no steps."""
    return facts.notice or "Type a prompt above and run it: the cost of each token appears here."
