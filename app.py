"""GPT-2 under glass: the entry of the app. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.frame import navigation
from pages.frame.logo import icon

st.set_page_config(
    page_title="GPT-2 under glass",
    page_icon=icon(),
    layout="wide",
    initial_sidebar_state="collapsed",
    menu_items=navigation.MENU,
)
navigation.show()
