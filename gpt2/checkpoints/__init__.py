"""Checkpoints: a model's name in, its weights, config and tokenizer out, from a folder or the hub."""
