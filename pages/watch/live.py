"""Live: a prompt is continued token by token, and everything inside moves along."""

from pages.frame import layout

layout.show_stage("live")
