"""The controls of an experiment: what a person has chosen, as a plan."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from gpt2.errors import PromptError
from gpt2.experiments.part import Part, head, mlp, stream
from gpt2.experiments.plan import Mute, Patch, Planned, Steer
from gpt2.experiments.plan_text import DOSES, FACTORS
from gpt2.model.config import GPT2Config
from gpt2.model.inputs import RESID_PRE
from gpt2.text.prompt import count_tokens
from pages.charts.experiments.grid import KINDS, part_at, part_grid, part_label, parts_by_label
from pages.charts.experiments.heat import ABLATIONS
from pages.charts.experiments.heat import STREAM as STREAM_PATCHED
from pages.frame.layout import View
from pages.frame.positions import pick_positions
from pages.frame.remembered import keep_choice
from pages.matrix.component import Cell, picked_cell, selectable_matrix

WAYS = MUTE, STEER, PATCH = "Mute or scale", "Steer", "Patch"
EVERYWHERE, CHOSEN = "At every position", "At chosen positions"
TOKEN, TWO_PROMPTS = "A token", "The difference of two prompts"
STREAM, HEAD, MLP = "The stream", "A head", "An MLP"
GRID, ROW = 96, 22  # pixels: around the grid, and a layer


def one_of(title: str, options: Sequence[str], key: str, **more: Any) -> str:
    """A row of options of which one is chosen, the first at first."""
    st.session_state.setdefault(key, options[0])
    return st.segmented_control(title, options, required=True, key=key, persist_state="session", **more)


def choose_plan(view: View, way: str) -> Planned:
    """Draw the controls of one way to change the model, and return what they say."""
    plans: dict[str, Callable[[View], Planned]] = {MUTE: mute_plan, STEER: steer_plan, PATCH: patch_plan}
    return plans[way](view)


def mute_plan(view: View) -> Mute:
    """Parts picked in the grid or in the list, and what becomes of them."""
    config, names, shown = view.trace.config, view.key("parts"), view.key("grid")
    parts = parts_by_label(config)
    keep_choice(names, parts)
    if (picked := take_pick(config, shown, st.session_state[names])) != st.session_state[names]:
        st.session_state[names] = picked
    left, right = st.columns([3, 2], gap="medium")
    with right:
        kind = one_of("How", list(KINDS), view.key("kind"), format_func=KINDS.__getitem__)
        factor = 0.0
        if kind == "scale":
            st.session_state.setdefault(view.key("factor"), 0.5)
            factor = st.slider("Factor", *FACTORS, step=0.1, key=view.key("factor"), persist_state="session")
        positions = choose_positions(view, "mute")
        chosen = st.multiselect("Changed parts", list(parts), key=names, placeholder="None", persist_state="session")
    with left:
        changed = [parts[name] for name in chosen]
        picture = part_grid(config, changed, kind, factor, GRID + ROW * config.n_layer)
        selectable_matrix(picture, key=shown, otherwise=(config.n_layer - 1, 0))
    return Mute(tuple(changed), kind, factor, positions)


def take_pick(config: GPT2Config, grid: str, chosen: list[str]) -> list[str]:
    """What is changed once the cell that was picked since is taken up: picked it changes, let go it does not.

    A picture that was not on the page before, as after another page, has nothing to tell.
    """
    state, last = st.session_state, f"{grid}.last"
    cell = picked_cell(grid, (config.n_layer, config.n_head + 1))
    before: Cell | None = state.get(last)
    state[last], meant = cell, cell or before
    if state.get(grid) is None or cell == before or meant is None:
        return chosen
    name = part_label(part_at(config, meant))
    if name in chosen:
        return [other for other in chosen if other != name]
    return chosen if cell is None else [*chosen, name]


def take_place(page: str, place: tuple[str, int, int]) -> None:
    """Set the controls to the change in one cell of a sweep: its name, the layer, and the head or the position."""
    name, layer, column = place
    part, state = mlp(layer) if column < 0 else head(layer, column), st.session_state
    if name == ABLATIONS:
        chosen: dict[str, object] = {"way": MUTE, "parts": [part_label(part)]}
    elif name == STREAM_PATCHED:
        chosen = {"what": STREAM, "patch_where": CHOSEN, "patch_positions": [column]}
    else:
        chosen = {"what": MLP if column < 0 else HEAD, "number": max(0, column), "patch_where": EVERYWHERE}
    if name != ABLATIONS:
        chosen |= {"way": PATCH, "patch_layer": layer}
    state.update({f"{page}.{control}": value for control, value in chosen.items()} | {f"{page}.taken": True})


def set_controls(page: str, plan: Planned) -> None:
    """Let the controls of a page say this change."""
    st.session_state.update({f"{page}.{control}": value for control, value in control_values(plan).items()})


def control_values(plan: Planned) -> dict[str, object]:
    """What the controls hold when they say this change, by their names."""
    match plan:
        case Mute(parts, kind, factor, positions):
            values: dict[str, object] = {"way": MUTE, "kind": kind, "parts": [part_label(part) for part in parts]}
            name = "mute"
            if kind == "scale":
                values["factor"] = factor
        case Steer(layer, dose, token, toward, away, positions):
            name, values = "steer", {"way": STEER, "steer_layer": layer, "dose": round(100 * dose)}
            values |= {"direction": TOKEN, "steer_token": token} if token else {"direction": TWO_PROMPTS}
            values |= {} if token else {"toward": toward, "away": away}
        case Patch(source, part, positions, align_end):
            name, values = "patch", {"way": PATCH, "source": source, "patch_layer": part.layer, "align": align_end}
            values["what"] = STREAM if part.hook == RESID_PRE else MLP if part.head is None else HEAD
            if part.head is not None:
                values["number"] = part.head
    values[f"{name}_where"] = EVERYWHERE if positions is None else CHOSEN
    if positions is not None:
        values[f"{name}_positions"] = list(positions)
    return values


def steer_plan(view: View) -> Steer:
    """A direction, a layer and a dose."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        what = one_of("Steer towards", [TOKEN, TWO_PROMPTS], view.key("direction"))
        token = toward = away = ""
        if what == TOKEN:
            token = typed(view, "steer_token", "One token, with its space", " king")
        else:
            toward = typed(view, "toward", "Towards this prompt", "She was happy and")
            away = typed(view, "away", "Away from this prompt", "She was sad and")
    with right:
        layer = choose_layer(view, "steer")
        st.session_state.setdefault(view.key("dose"), 50)
        title = "Dose, in % of the stream's length"
        dose = st.slider(title, *DOSES, step=10, key=view.key("dose"), persist_state="session")
        positions = choose_positions(view, "steer")
    return Steer(layer, dose / 100, token, toward, away, positions)


def patch_plan(view: View) -> Patch:
    """The other prompt, and the part that is taken from it."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        source = typed(view, "source", "Take the activation from this prompt", "")
        if source and view.checkpoint is not None:
            try:
                count = count_tokens(source, view.checkpoint.tokenizer)
                st.caption(f"It has {count} tokens; the prompt of the run has {len(view.trace.prompt_ids)}.")
            except PromptError as error:
                st.error(str(error))
        align = st.toggle("Align the prompts at their ends", key=view.key("align"), persist_state="session")
        positions = choose_positions(view, "patch")
    with right:
        what = one_of("Patch", [STREAM, HEAD, MLP], view.key("what"))
        layer = choose_layer(view, "patch")
        number = 0
        if what == HEAD:
            heads = range(view.trace.config.n_head)
            number = st.selectbox(
                "Head", heads, format_func="H{}".format, key=view.key("number"), persist_state="session"
            )
    make: dict[str, Callable[[], Part]] = {
        STREAM: lambda: stream(layer),
        HEAD: lambda: head(layer, number),
        MLP: lambda: mlp(layer),
    }
    return Patch(source, make[what](), positions, align)


def typed(view: View, name: str, title: str, default: str) -> str:
    """A box for a text, used exactly as it is typed."""
    st.session_state.setdefault(view.key(name), default)
    return st.text_input(title, key=view.key(name), persist_state="session")


def choose_layer(view: View, name: str) -> int:
    """A list of the layers."""
    layers, key = range(view.trace.config.n_layer), view.key(f"{name}_layer")
    if st.session_state.get(key) not in layers:
        st.session_state[key] = min(st.session_state.get(key, len(layers) // 2), len(layers) - 1)
    return st.selectbox("Layer", layers, format_func="L{}".format, key=key, persist_state="session")


def choose_positions(view: View, name: str) -> tuple[int, ...] | None:
    """Everywhere, or some positions of the prompt, by their tokens."""
    where = one_of("Where", [EVERYWHERE, CHOSEN], view.key(f"{name}_where"))
    if where == EVERYWHERE:
        return None
    key, labels = view.key(f"{name}_positions"), view.trace.labels[: len(view.trace.prompt_ids)]
    chosen = pick_positions(
        range(len(labels)),
        "Positions of the prompt",
        format_func=lambda at: f"{at} {labels[at]}",
        key=key,
        run_id=view.trace.run_id,
        placeholder="None",
    )
    return tuple(sorted(chosen))
