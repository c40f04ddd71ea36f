"""The course: its twelve lessons, what each answers, and how to begin."""

import streamlit as st

from gpt2.learn.lessons import LESSONS
from pages.frame import layout
from pages.learn.lesson import SERVE, page_of, serve_page
from pages.visit.progress import PASSED, icon_of, progress

layout.open_page("course")
layout.headline("How is GPT-2 built?")
layout.plain_text(
    "Twelve lessons build the model that runs above, one component each. Every lesson shows the real source with "
    "what each line made of your prompt, lets you put it together from lines that people really write, and checks "
    "the one that you write yourself, on your own machine, within a second."
)
done = progress()
states = done.states()
if sentence := done.sentence():
    layout.plain_text(sentence)
for lesson in LESSONS:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.page_link(page_of(lesson), label=f"**{lesson.number} {lesson.title}**")
        layout.plain_text(lesson.question)
        if state := states[lesson.number]:
            st.badge(state, icon=icon_of(state), color="green" if state == PASSED else "gray")
with st.container(border=True, horizontal=True, vertical_alignment="center"):
    st.page_link(serve_page(), label=f"**13 {SERVE}**")
    layout.plain_text("How does one model answer many at once? Nothing to code: a look at a server at work.")
st.code(
    "python -m gpt2 learn start 3     # writes the skeleton of a lesson into my_gpt2/\n"
    "python -m gpt2 learn check 3     # checks your file\n"
    "python -m gpt2 learn watch 3     # checks it whenever you save\n"
    "python -m gpt2 learn status      # what you have passed",
    language="sh",
)
