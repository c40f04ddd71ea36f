"""The controls of an experiment: what a person has chosen, as a plan."""

from collections.abc import Callable

import streamlit as st

from gpt2.errors import PromptError
from gpt2.experiments.part import Part, head, mlp, stream
from gpt2.experiments.plan import Mute, Patch, Plan, Steer
from gpt2.model.config import GPT2Config
from gpt2.text.prompt import count_tokens
from pages.charts.experiments.grid import KINDS, part_at, part_grid, part_label, parts_by_label
from pages.charts.experiments.heat import ABLATIONS
from pages.charts.experiments.heat import STREAM as STREAM_PATCHED
from pages.frame.layout import View
from pages.matrix.component import Cell, picked_cell, selectable_matrix

WAYS = MUTE, STEER, PATCH = "Mute or scale", "Steer", "Patch"
EVERYWHERE, CHOSEN = "At every position", "At chosen positions"
TOKEN, TWO_PROMPTS = "A token", "The difference of two prompts"
STREAM, HEAD, MLP = "The stream", "A head", "An MLP"
GRID, ROW = 96, 22  # pixels: around the grid, and a layer


def choose_plan(view: View, way: str) -> Plan:
    """Draw the controls of one way to change the model, and return what they say."""
    plans: dict[str, Callable[[View], Plan]] = {MUTE: mute_plan, STEER: steer_plan, PATCH: patch_plan}
    return plans[way](view)


def mute_plan(view: View) -> Mute:
    """Parts picked in the grid or in the list, and what becomes of them."""
    config, names, shown = view.trace.config, view.key("parts"), view.key("grid")
    parts = parts_by_label(config)
    # A model that was chosen since may lack a part; and a list that is not drawn forgets its choice.
    known = [name for name in st.session_state.get(names, []) if name in parts]
    st.session_state[names] = take_pick(config, shown, known)
    left, right = st.columns([3, 2], gap="medium")
    with right:
        kind = st.segmented_control(
            "How",
            list(KINDS),
            format_func=KINDS.__getitem__,
            default="zero",
            required=True,
            key=view.key("kind"),
            persist_state="session",
        )
        factor = 0.0
        if kind == "scale":
            factor = st.slider("Factor", -2.0, 3.0, 0.5, 0.1, key=view.key("factor"), persist_state="session")
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


def steer_plan(view: View) -> Steer:
    """A direction, a layer and a dose."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        what = st.segmented_control(
            "Steer towards",
            [TOKEN, TWO_PROMPTS],
            default=TOKEN,
            required=True,
            key=view.key("direction"),
            persist_state="session",
        )
        token = toward = away = ""
        if what == TOKEN:
            token = typed(view, "steer_token", "One token, with its space", " king")
        else:
            toward = typed(view, "toward", "Towards this prompt", "She was happy and")
            away = typed(view, "away", "Away from this prompt", "She was sad and")
    with right:
        layer = choose_layer(view, "steer")
        dose = st.slider(
            "Dose, in % of the stream's length", -200, 200, 50, 10, key=view.key("dose"), persist_state="session"
        )
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
        what = st.segmented_control(
            "Patch", [STREAM, HEAD, MLP], default=STREAM, required=True, key=view.key("what"), persist_state="session"
        )
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
    st.session_state[key] = min(st.session_state.get(key, len(layers) // 2), len(layers) - 1)
    return st.selectbox("Layer", layers, format_func="L{}".format, key=key, persist_state="session")


def choose_positions(view: View, name: str) -> tuple[int, ...] | None:
    """Everywhere, or some positions of the prompt, by their tokens."""
    where = st.segmented_control(
        "Where",
        [EVERYWHERE, CHOSEN],
        default=EVERYWHERE,
        required=True,
        key=view.key(f"{name}_where"),
        persist_state="session",
    )
    if where == EVERYWHERE:
        return None
    key, labels = view.key(f"{name}_positions"), view.trace.labels[: len(view.trace.prompt_ids)]
    st.session_state[key] = [at for at in st.session_state.get(key, []) if at < len(labels)]
    chosen = st.multiselect(
        "Positions of the prompt",
        range(len(labels)),
        format_func=lambda at: f"{at} {labels[at]}",
        key=key,
        placeholder="None",
        persist_state="session",
    )
    return tuple(sorted(chosen))
