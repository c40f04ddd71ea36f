"""The pages in their order, and the sidebar that they share: runs to open and to save."""

from dataclasses import asdict
from pathlib import Path

import streamlit as st
from streamlit.commands.page_config import MenuItems
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from gpt2.learn.lessons import LESSONS
from pages.server.host import upload_mb
from pages.stage.component import send_code
from pages.stage.replay import replay_page
from pages.visit.connection import this_query
from pages.visit.examples import RECORDED, recorded_run
from pages.visit.opening import Opening
from pages.visit.progress import icon_of, progress
from pages.visit.saving import MIME, Saving
from pages.visit.session import this_visit
from pages.visit.visit import Visit

from .heading import CSS as HEADINGS
from .layout import palette, plain_text
from .logo import logo
from .page_row import has_page_row, show_page_row
from .rerun import note_shown_page, rerun

WATCH = Path(__file__).parents[1] / "watch"
CHANGE, LEARN = WATCH.parent / "change", WATCH.parent / "learn"
# A visitor chooses light or dark in Streamlit's main menu, which a minimal toolbar shows only with an entry of ours.
MENU: MenuItems = {
    "About": "**GPT-2 under glass** continues a prompt token by token and shows what happens inside. "
    "Every number on the screen came out of the forward pass."
}
# How often to check whether an offered file is still needed.
CHECK_SECONDS = 5

# Streamlit has no setting for the empty space above and around the stage, nor for the room beside its menu, which would
# push the menu off a phone.
CSS = """<style>
.stMainBlockContainer { padding: 3.5rem 1.25rem 0; max-width: none; }
.stMainBlockContainer:has([data-testid="stHeading"]) { padding-bottom: 2rem; }
/* The strip's room, free until it is there; how high it is slim.js tells, but for the first page that is opened. */
.stMainBlockContainer:has([data-testid="stHeading"]) .st-key-stage {
  min-height: var(--strip, max(95px, min(8.5vw, 13.6vh))); }
@media (max-width: 799px) { .stMainBlockContainer:has([data-testid="stHeading"]) .st-key-stage {
  min-height: var(--strip, 258px); } }
[data-testid="stHeader"] { height: 3.25rem; }
[data-testid="stHeading"] h2 { font-size: 1.6rem; padding: 0.25rem 0 0.5rem; }
[data-testid="stText"] { font-size: 0.95rem; line-height: 1.45; }
.stVerticalBlock > :has(> .st-key-stage-code) { display: none; }
.st-key-lesson-text { max-width: 52rem; } /* lines that an eye finds its way back from */
@media (max-width: 640px) { [data-testid="stToolbar"] div:has(> [data-testid="stMainMenu"]) { min-width: 0; } }
/* A panel that fills the window, and a presenter's page: one idea a screen. See pages/stage/js/fill.js and size.js. */
.gpt2-filled [data-testid="stHeader"] { visibility: hidden; }
.stVerticalBlock.filled { position: fixed; inset: 0; z-index: 1000; padding: 1.5rem 2rem; overflow-y: auto; }
.filled [data-testid="stImage"] img, .filled .gpt2-marks { width: min(100%, 100vh - 12rem) !important; margin: 0 auto; }
.gpt2-large .stMainBlockContainer > .stVerticalBlock > * > .stHorizontalBlock > .stColumn { flex: 1 0 100%; }
/* What a chart tells of a mark looks like the stage's own tips; see pages/stage/css/panels.css. */
#vg-tooltip-element.vg-tooltip { z-index: 1001; max-width: min(34em, 100vw - 24px); padding: 0.35em 0.6em; border: 0;
  border-radius: 0.4em; box-shadow: none; font-size: max(var(--least, 11px), 0.77rem); line-height: 1.33; }
#vg-tooltip-element table tr td { max-width: none; padding: 0; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
#vg-tooltip-element table tr td.key { padding-right: 0.8em; text-align: left; overflow-wrap: normal; }
@media (max-width: 640px) { #vg-tooltip-element.vg-tooltip { left: 12px !important; } }
/* What is in the closed sidebar is not reached by Tab. */
[data-testid="stSidebar"][data-collapsed="true"] { visibility: hidden; }
/* A label written on a bar does not keep the pointer from the bar. */
.stVegaLiteChart .role-mark.mark-text { pointer-events: none; }
/* A token on a button has the letters of the button. */
[data-testid^="stBaseButton"] code { font-size: 1em; }
/* Room for a finger, and letters on which a phone does not zoom in. */
[data-testid="stCheckbox"] label { min-height: 24px; }
[data-testid="stMultiSelect"] button { min-width: 24px; min-height: 24px; }
[data-testid="stSlider"] div:has(> [data-testid="stSliderThumbValue"])::after {
  content: ""; position: absolute; inset: -6px; }
@media (max-width: 640px), (pointer: coarse) { .stApp :is(input, textarea) { font-size: max(16px, 1em) !important; } }
</style>"""
# Streamlit's greys and the tint of a chosen button leave too little contrast.
CONTRAST = """<style>
.stVerticalBlock.filled {{ background: {paper}; }}
#vg-tooltip-element.vg-tooltip {{ background: {text}; color: {panel}; }}
#vg-tooltip-element table tr td.key {{ color: color-mix(in srgb, {panel} 80%, {text}); }}
[data-testid="stCaptionContainer"] {{ opacity: 1; }}
[data-testid="stCaptionContainer"] p {{ color: {muted}; }}
[data-testid="stButtonGroup"] [data-selected="true"] p {{ color: {text}; }}
[data-testid="stBaseButton-primary"] p {{ color: {paper}; }}
[data-testid="stCode"] .token.keyword {{ color: color-mix(in srgb, {attention} 80%, {text}); }}
[data-testid="stCode"] .token:is(.number, .boolean, .string, .builtin, .class-name) {{
  color: color-mix(in srgb, {token} 55%, {text}); }}
[data-testid="stCode"] .token:is(.function, .comment, .decorator, .operator, .punctuation) {{
  color: color-mix(in srgb, {muted} 60%, {text}); }}
</style>"""


RELOAD = st.components.v2.component(
    "gpt2_reload",
    js="""export default ({ data: { name, query } }) => {
        const page = new URL(encodeURIComponent(name), document.baseURI);
        page.search = query;
        location.replace(page);
    }""",
)


def show() -> None:
    """Draw the navigation, the sidebar and the chosen page."""
    reload_if_page_not_found()
    send_code()
    colours = palette()
    st.html(CSS + HEADINGS + CONTRAST.format(**asdict(colours)))
    st.logo(logo(colours), size="large")
    watch = [
        st.Page(WATCH / "live.py", title="Live", default=True),
        st.Page(WATCH / "embeddings.py", title="Embeddings"),
        st.Page(WATCH / "attention.py", title="Attention"),
        st.Page(WATCH / "mlp.py", title="MLP"),
        st.Page(WATCH / "residual.py", title="Residual stream"),
        st.Page(WATCH / "attribution.py", title="Attribution"),
        st.Page(WATCH / "paths.py", title="Paths"),
        st.Page(WATCH / "sampling.py", title="Sampling"),
        st.Page(WATCH / "cost.py", title="Cost"),
    ]
    change = [
        st.Page(CHANGE / "experiments.py", title="Experiments"),
        st.Page(CHANGE / "branches.py", title="Branches"),
        st.Page(CHANGE / "compare.py", title="Compare"),
    ]
    states = progress().states()
    learn = [
        st.Page(LEARN / "course.py", title="The course"),
        *(
            st.Page(
                LEARN / "lessons" / f"lesson_{lesson.slug}.py",
                title=f"{lesson.number} {lesson.title}",
                icon=icon_of(states[lesson.number]),
            )
            for lesson in LESSONS
        ),
        st.Page(LEARN / "serve" / "lesson_13_serve.py", title="13 Serve your model"),
    ]
    groups = {"": watch, "Change": change, "Learn": learn}
    page = st.navigation(groups, position="top")
    note_shown_page()
    course = learn[0]  # on a narrow screen it stands for all lessons, which it links
    group = next(name for name, pages in groups.items() if page in pages)
    visit, shown = this_visit(), course if page in learn else page
    show_page_row([*watch, *change, course], shown, group, colours.attention, has_links=has_page_row(visit))
    with st.sidebar:
        show_runs(visit)
    page.run()


def reload_if_page_not_found() -> None:
    """Reload the browser if it is the first one of this server and asked for the address of a page.

    Until the first call of `st.navigation` in a server's life, Streamlit takes a folder called `pages` for its older
    kind of app, looks for the page among the files in it, and reports that the page does not exist.
    """
    looked_for_a_file, PagesManager.uses_pages_directory = PagesManager.uses_pages_directory, False
    context = get_script_run_ctx()
    name = None if context is None else context.pages_manager.intended_page_name
    if looked_for_a_file and name:
        RELOAD(key="reload", data={"name": name, "query": this_query()})
        st.stop()


def show_runs(visit: Visit) -> None:
    """Draw the sidebar: buttons to open a recorded run or a file, and to save the run on the stage."""
    opening: Opening = st.session_state.setdefault("opening", Opening())
    saving: Saving = st.session_state.setdefault("saving", Saving())
    st.subheader("Runs", anchor=False)
    for name, title in RECORDED.items():
        # A callback runs before the script, so a rerun that ends the script cannot lose the press.
        st.button(
            f"Open the recorded run “{title}”", key=f"recorded.{name}", on_click=open_recorded, args=(visit, name)
        )
    uploaded = st.file_uploader(
        "Open a run from a file", type="npz", key=f"opened.{opening.number}", max_upload_size=upload_mb()
    )
    if uploaded is not None:
        with st.spinner("Opening the file …"):
            opening.take(uploaded, visit)
        rerun()  # draws a new, empty uploader
    if error := opening.error_beside(visit.player.trace.run_id):
        st.error("This file was not opened.")
        plain_text(error)  # it may quote the file
    st.button("Save the run on the stage", key="save", on_click=saving.ask)
    st.button("Save it as JSON", key="save.json", on_click=saving.ask, args=("json",))
    st.button("Save it as a page that replays it", key="save.html", on_click=saving.ask, args=("html",))
    if saving.is_asked:
        with st.spinner("Writing the file …"):
            saving.make(visit.player, page=lambda: replay_page(visit.snapshot()))
    offer_download(saving, visit)


def open_recorded(visit: Visit, name: str) -> None:
    """Put a recorded run on the stage."""
    visit.open(recorded_run(name))


def offer_download(saving: Saving, visit: Visit) -> None:
    """Draw the download button while a file is available, or say why there is none."""
    if saving.is_over(visit.player.trace.run_id):
        saving.drop()
    if saving.error:
        st.error("This run was not saved.")
        plain_text(saving.error)
    if not saving.data:
        st.caption(
            "The file holds all steps so far, with every activation that the run stores; the page holds what the live "
            "stage shows of them, and needs no program but a browser."
        )
        return
    st.download_button(
        saving.label,
        data=saving.data,
        file_name=f"gpt2-run.{saving.kind}",
        mime=MIME[saving.kind],
        key="saved",
        on_click="ignore",
        type="primary",
    )
    st.caption("The file is available for two minutes, or until another run is on the stage.")

    @st.fragment(run_every=CHECK_SECONDS)
    def rerun_when_over() -> None:
        """Streamlit frees the file when the page is redrawn without its button."""
        if saving.is_over(visit.player.trace.run_id):
            rerun()

    rerun_when_over()
