"""Details one click away: a page carries them once they are open; what is picked opens them by itself."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gpt2.trace.trace import Trace
from pages.visit.player import Player
from pages.visit.visit import Visit

pytestmark = pytest.mark.slow
WATCH = Path(__file__).parents[1] / "pages" / "watch"
TITLES = {
    **dict.fromkeys(("embeddings", "attention", "attribution", "paths", "sampling", "cost"), "How it is computed"),
    "mlp": "How a neuron fires",
    "residual": "How the logit lens is computed",
}


def lines(test: AppTest) -> list[str]:
    """The lines of computations that a page carries."""
    return [block.value for block in test.code if block.value.startswith("# gpt2/")]


@pytest.mark.parametrize(("name", "title"), TITLES.items())
def test_a_page_carries_the_lines_of_a_computation_while_they_are_open(name: str, title: str, trace: Trace) -> None:
    test = AppTest.from_file(str(WATCH / f"{name}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(Player(trace, "Once upon a time"), cursor=len(trace.steps) - 1)
    assert not test.run().exception and not lines(test)
    test.session_state[f"{name}.{title}"] = True
    assert not test.run().exception
    assert all("def " in one for one in lines(test)) and lines(test)
    test.session_state[f"{name}.{title}"] = False
    assert not test.run().exception and not lines(test)


def boxes() -> None:
    """A page with one box, which opens when something is picked."""
    import streamlit as st

    from pages.frame.details import details

    box = details("Its terms", key="terms", icon=":material/calculate:", opens=st.session_state.picked)
    st.text("open" if box.open else "closed")


def test_a_box_opens_and_closes_with_what_is_picked_and_is_the_visitors_in_between() -> None:
    test = AppTest.from_function(boxes)

    def is_open(**state: bool) -> bool:
        for name, value in state.items():
            test.session_state[name] = value
        return test.run().text[0].value == "open"

    assert not is_open(picked=False)
    assert is_open(terms=True)  # by a click
    assert is_open(picked=True) and is_open(picked=True)
    assert not is_open(terms=False) and not is_open(picked=True)
    assert not is_open(picked=False)
    assert is_open(picked=True)
    assert not is_open(picked=False)
