"""A page that runs itself again: the page that a visitor has asked for meanwhile comes first, and stays."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.frame import layout
from pages.visit.visit import Visit

ASKED, SHOWN = "asked", "shown"


def asked_for_another_page_and_ran_again() -> None:
    """The visitor asks for another page while this one runs, and then this one runs itself again."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx
    from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

    from pages.frame.rerun import note_shown_page, rerun

    context = get_script_run_ctx()
    assert context is not None and context.script_requests is not None
    note_shown_page()
    st.text(context.page_script_hash)
    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        context.script_requests.request_rerun(RerunData(page_script_hash="asked"))
        rerun()


def ran_again_for_a_page_that_was_left() -> None:
    """A run that a page asked for which is no longer shown runs the page again."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from pages.frame.rerun import is_asked_by_a_page_that_was_left, note_shown_page, rerun

    context = get_script_run_ctx()
    assert context is not None
    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        context.pages_manager.set_current_page_script_hash("shown")
        note_shown_page()
        context.pages_manager.set_current_page_script_hash("left")
        if is_asked_by_a_page_that_was_left():
            rerun()
    st.text(context.page_script_hash)


def heard_what_was_done_outside_a_fragment() -> None:
    """A fragment's run, by a message that says nothing of the page's switch, and by one that says that it was moved."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx

    from pages.frame.rerun import hear_others

    context = get_script_run_ctx()
    assert context is not None
    switch = st.checkbox("Switch", key="switch")
    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        return
    state = context.session_state._state
    if not switch:
        state._compact_state()  # as before a run that no message asks for
    context.fragment_ids_this_run = ["fragment"]
    try:
        hear_others()
        st.text("nothing")
    except RerunException as asked:
        st.text(f"the whole page, {len(asked.rerun_data.fragment_id_queue)} fragments")


def ran_again_before_a_button() -> None:
    """A page that runs itself again, once for each press, before it comes to the button that was pressed."""
    import streamlit as st

    from pages.frame.rerun import note_shown_page, rerun

    note_shown_page()
    if st.session_state.pop("again", False):
        rerun()
    if st.button("Ask"):
        st.session_state["asked"] = st.session_state.get("asked", 0) + 1
        rerun()
    st.text(str(st.session_state.get("asked", 0)))


def test_a_press_that_a_run_has_not_come_to_is_heard_by_the_next_one_and_once() -> None:
    app = AppTest.from_function(ran_again_before_a_button).run()
    for presses in (1, 2):
        app.session_state["again"] = True
        app.button[0].click().run()
        assert [text.value for text in app.text] == [str(presses)]
    assert [text.value for text in app.run().text] == ["2"] and not app.exception


def test_a_fragment_runs_the_page_for_what_was_done_outside_of_it_and_for_nothing_else() -> None:
    app = AppTest.from_function(heard_what_was_done_outside_a_fragment).run()
    assert not app.exception
    assert [text.value for text in app.run().text] == ["nothing"]
    assert [text.value for text in app.checkbox[0].check().run().text] == ["the whole page, 0 fragments"]
    assert [text.value for text in app.run().text] == ["nothing"]
    assert not app.exception


@pytest.mark.parametrize(
    ("script", "page"), [(asked_for_another_page_and_ran_again, ASKED), (ran_again_for_a_page_that_was_left, SHOWN)]
)
def test_the_page_that_the_visitor_asked_for_last_is_shown(script: Callable[[], None], page: str) -> None:
    app = AppTest.from_function(script).run()
    assert not app.exception
    assert [text.value for text in app.text] == [page]


def test_a_page_is_of_the_step_that_it_has_drawn_not_of_that_which_there_was_when_its_stage_was_sent(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[layout.Drawn] = []

    def send_stage(_: str, drawn: layout.Drawn) -> Visit:
        drawn.note(visit.player.trace.steps[0].identity, None)
        sent.append(drawn)
        return visit  # whose run has six steps by now, and the cursor on the last

    monkeypatch.setattr(layout, "show_stage", send_stage)
    view = layout.open_page("residual")
    assert view.step_index == 5 and sent[0].shows(*visit.view_key)
    visit.cursor = 0
    assert not sent[0].shows(*visit.view_key)
