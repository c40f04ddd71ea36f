"""Checkpoints: the name of a model in, its weights, config and tokenizer out, from a folder or the hub."""
