"""The model as an endpoint of MAX Serve: requests over HTTP in, streamed texts out, many at once in one batch.

Modules: `served` (the graph: the model's own components over a paged cache), `architecture` (what MAX Serve asks of a
model), `graphs` (compiled once, found and checked), `requests` (what a request may ask), `answers` (where a text
stops), `front` (the two around MAX Serve's own routes), `server` (the process that serves), `launcher` (the command).
"""
