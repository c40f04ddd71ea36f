"""The controls that choose the second run of a comparison, and what is said while it is made."""

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gpt2.errors import PromptError
from gpt2.experiments.trace_pair import TracePair
from gpt2.text.prompt import count_tokens
from gpt2.trace.trace import Trace
from pages.change.comparison import BRANCH, CHANGE, MODEL, PROMPT, Comparison, from_change, from_model, from_prompt
from pages.change.controls import typed
from pages.charts.lens import ReadLens
from pages.frame.layout import View, lens_of, plain_text
from pages.frame.rerun import rerun
from pages.look.tokens import markdown
from pages.server.caches import with_recomputer
from pages.server.job import ModelJob
from pages.visit.branches import FREED
from pages.visit.examples import EXAMPLES

# Both runs, and the logit lens of the model that made the second; None if it is not loaded.
Second = tuple[TracePair, ReadLens | None]
SECONDS = 0.5
ASKED = "compare.asked"  # whether an example was pressed, which is run as soon as it stands in the box
GROWN_SECONDS = 2  # between two drawings of a run that grows; its first step is drawn at once
RUN = "Run the second"
NO_BRANCH = "There is no branch yet; make one on the Branches page, then choose it here."
NO_CHANGE = (
    "There is no change yet; choose one on the Experiments page. The changed model then reads the text of the run on "
    "the stage here, step by step."
)
NO_MODEL = "This host offers no other model."
NOT_RUN = {
    PROMPT: f"Type a prompt and press “{RUN}”, or press one of those above: it goes on for as many steps as the first "
    "run, with the same settings.",
    CHANGE: f"Press “{RUN}”: the changed model reads the text of the first run, so both have read the same.",
    MODEL: f"Choose a model and press “{RUN}”: it reads the text of the first run, so both have read the same.",
}


def second_run(view: View, comparison: Comparison, source: str) -> Second | None:
    """Draw the controls of a source; the run on the stage and the second, or None if there is no second of it yet."""
    if source == BRANCH:
        return _branch(view, comparison)
    hint = {PROMPT: _prompt, CHANGE: _change, MODEL: _model}[source](view, comparison)
    show_progress(comparison)
    is_own = comparison.source == source
    if is_own and (error := comparison.error or (comparison.run.error if comparison.run else "")):
        st.error("The second run did not come to its end.")
        plain_text(error)
    if not is_own or comparison.found is None:
        if not comparison.is_running:
            plain_text(hint)
        return None
    plain_text(f"First: the run on the stage. Second: {comparison.says}.")
    return _beside(view, comparison.found, comparison.job)


def _beside(view: View, second: Trace, job: ModelJob | None) -> Second:
    """The pair, and the lens of the model that made the second run."""
    return TracePair(view.run, with_recomputer(second, job.engine if job else None)), lens_of(job)


def _branch(view: View, comparison: Comparison) -> Second | None:
    """A list of the tree's other branches."""
    tree = comparison.visit.branches
    others = {branch.number: branch for branch in tree.all if branch is not tree.current}
    if not others or tree.current is None:
        plain_text(NO_BRANCH)
        return None
    titles = {number: branch.title for number, branch in others.items()}
    number = st.selectbox(
        "Branch",
        list(titles),
        index=len(titles) - 1,
        format_func=titles.__getitem__,
        key=view.key(f"branch {'-'.join(map(str, others))}"),
    )
    trace = tree.trace(others[number])
    if not trace.steps:
        plain_text(FREED.format(titles[number]))
        return None
    plain_text(f"First: the run on the stage, {tree.current.title}. Second: {titles[number]}.")
    return _beside(view, trace, comparison.visit.model_of_run)


def _prompt(view: View, comparison: Comparison) -> str:
    """A box for another prompt."""
    box, run, stop = _row()
    with box:
        prompt = typed(view, "prompt", "Another prompt, with the settings of the run on the stage", "")
    if prompt and view.checkpoint is not None:
        try:
            count = count_tokens(prompt, view.checkpoint.tokenizer)
            st.caption(f"It has {count} tokens; the prompt of the first run has {len(view.trace.prompt_ids)}.")
        except PromptError as error:
            st.error(str(error))
    make, is_asked = from_prompt(view.run, prompt, comparison.visit.ignore_eos), st.session_state.pop(ASKED, False)
    if run.button(RUN, key=view.key("run"), type="primary", width="stretch") or is_asked:
        comparison.start(PROMPT, f"the prompt “{prompt}”", make)
    _stop(view, comparison, stop)
    if comparison.source != PROMPT:
        _offer_examples(view, comparison.visit.player.prompt)
    return NOT_RUN[PROMPT]


def _offer_examples(view: View, first: str) -> None:
    """Prompts to begin with, other than the first run's: a button for each writes it into the box and runs it."""
    others = [example for example in EXAMPLES if example.prompt != first]
    for column, example in zip(st.columns(len(others)), others, strict=True):
        column.button(
            example.label,
            key=view.key(f"example {example.label}"),
            on_click=st.session_state.update,
            args=({view.key("prompt"): example.prompt, ASKED: True},),
            help=markdown(f"{example.prompt} … (to look at: {example.shows})"),
            width="stretch",
        )


def _change(view: View, comparison: Comparison) -> str:
    """The change that stands on the Experiments page."""
    plan = None if comparison.visit.change is None else comparison.visit.change.plan
    box, run, stop = _row()
    with box:
        plain_text(NO_CHANGE if plan is None else f"Changed: {plan.says}.")
    if run.button(RUN, key=view.key("run"), type="primary", width="stretch", disabled=plan is None) and plan:
        says = f"the changed model, {plan.says}; it reads the first run's text"
        comparison.start(CHANGE, says, from_change(view.run, plan))
    _stop(view, comparison, stop)
    return "" if plan is None else NOT_RUN[CHANGE]


def _model(view: View, comparison: Comparison) -> str:
    """A list of the other models that this host offers."""
    offers = {offer.name: offer for offer in comparison.visit.choice.offered() if offer.name != view.run.model}
    labels = {name: offer.label for name, offer in offers.items()}  # the browser remembers a choice by its text
    box, run, stop = _row()
    with box:
        if not offers:
            return NO_MODEL
        name = st.selectbox(
            "Another model with the same vocabulary",
            list(labels),
            format_func=labels.__getitem__,
            key=view.key(f"model {view.run.model}"),
        )
    st.caption(offers[name].detail)
    if run.button(RUN, key=view.key("run"), type="primary", width="stretch"):
        comparison.start(MODEL, f"{labels[name]}, which reads the first run's text", from_model(view.run), name)
    _stop(view, comparison, stop)
    return NOT_RUN[MODEL]


def _row() -> list[DeltaGenerator]:
    return st.columns([6, 2, 1], vertical_alignment="bottom")


def _stop(view: View, comparison: Comparison, column: DeltaGenerator) -> None:
    is_idle = not comparison.is_running
    if column.button("Stop", key=view.key("stop"), width="stretch", disabled=is_idle):
        comparison.stop()
        rerun()


def show_progress(comparison: Comparison) -> None:
    """Say how far the second run is, and redraw the page as it grows, and once it has ended."""
    was_running, drawn, since = comparison.is_running, comparison.n_steps, time.monotonic()

    @st.fragment(run_every=SECONDS if was_running else None)
    def draw() -> None:
        comparison.tend()
        has_grown = comparison.n_steps > drawn and (not drawn or time.monotonic() - since > GROWN_SECONDS)
        if was_running and (has_grown or not comparison.is_running):
            rerun()  # once it has ended, the page is drawn without a timer
        if was_running:
            st.progress(*comparison.progress())

    draw()
