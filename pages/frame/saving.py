"""A run as bytes, for the visitor to keep."""

from io import BytesIO

from gpt2.trace import Trace


def trace_bytes(trace: Trace) -> bytes:
    """The `.npz` file of a trace."""
    file = BytesIO()
    trace.save(file)
    return file.getvalue()
