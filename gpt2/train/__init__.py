"""Training of the bundled model: corpus, tokenizer, PyTorch model, optimisers, loop, export.

Runs as ``python -m gpt2.train``; the only part of the project that imports torch.
Reading order: `corpus`, `model`, `muon`, `loop`, `heads`, `export`.
"""
