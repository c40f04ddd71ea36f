"""Live: the model continues a prompt token by token, and the stage shows every activation."""

from pages.frame import layout

layout.show_stage("live")
