"""Running the model: weights and a prompt in, a trace out, one forward pass at a time."""
