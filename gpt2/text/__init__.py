"""Text and tokens: a prompt in, token ids out, and back."""
