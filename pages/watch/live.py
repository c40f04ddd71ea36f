"""Live: a prompt is continued token by token, with all numbers inside the model beside it."""

from pages.frame import layout

layout.show_stage("live")
