"""GPT-2 under glass: the entry of the app. Run it with `streamlit run app.py`."""

import streamlit as st

from pages.frame import navigation
from pages.frame.logo import sign

st.set_page_config(page_title="GPT-2 under glass", page_icon=sign(), layout="wide", initial_sidebar_state="collapsed")
navigation.show()
