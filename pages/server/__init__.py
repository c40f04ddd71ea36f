"""What all visitors share: the host's settings in, loaded models, caches and a budget of memory out."""
