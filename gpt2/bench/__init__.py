"""This program beside Hugging Face transformers: a model in, differences, milliseconds and megabytes out."""
