"""The live canvas: a snapshot in, one message to the browser out; the visitor's actions come back."""
