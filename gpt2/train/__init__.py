"""How the bundled model was made: a corpus in, a checkpoint out; `python -m gpt2.train`."""
