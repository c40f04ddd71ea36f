"""Write a trained model in the Hugging Face layout, with a model card that states only measurements."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from gpt2.checkpoints.weights import CONV1D, load_checkpoint

from .heads import HeadScores
from .loop import HeldOut, Trainer
from .model import Shape

CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# Bundled storyteller

A small GPT-2 that ships with *GPT-2 under glass* so that the app starts in seconds without a network.
{n_layer} layers, {n_head} heads, width {n_embd}, context {n_positions}, vocabulary {vocab_size}; {params:.2f} million
parameters, tied embeddings, float16 safetensors. It is for looking at how GPT-2 works, not for using what it says.

## Data
Children's tales and fairy tales in the public domain: {documents} documents of 77 books from Project Gutenberg
(Grimm, Andersen, Lang's colour fairy books, Jacobs, Baum, Aesop, Carroll, MacDonald, Burnett, Nesbit, Kipling and
others), marked "Public domain in the USA", headers and notices removed, as ASCII text; {held_out_documents} documents
({held_out_percent:.0f} %, chosen by the hash of their text) were held out and never trained on. Paragraphs with
slurs were dropped by a word list; other views of their time remain in these books.

## Training
`python -m gpt2.train --corpus tales.txt.xz` with seed {seed}: {tokens:.1f} million tokens in {steps} steps of
{batch} x {n_positions}; Muon on the blocks' matrices and AdamW on the rest, peak rate {learning_rate:g}, {warmup}
warm-up steps, linear decay over the last {decay:.0%}; {repeats:.0%} of the windows at first, annealed to none after
{until:.0%}, were random tokens repeated, which only copying can predict. Tokenizer: byte-level BPE learned on the
training documents, `<|endoftext|>` last. Matrix products in {precision}, on two CPU cores.

## Measured
- Held out, the shipped float16 weights: **{bits:.3f} bits per byte** ({nats:.3f} nats per token), whole documents in
  windows of {n_positions} tokens that do not overlap.
- Previous-token score of each head (mean attention to the token before, on held-out text) and induction score (mean
  attention to the token after the last occurrence, on random tokens said twice), in per cent:

{heads}

## Limits
It writes simple English sentences in the manner of old tales and loses the thread after a few of them. It knows
nothing of the world, has the views of its books, and is not fit for any use that matters.
"""


def hugging_face_config(shape: Shape, end_of_text: int) -> dict[str, object]:
    """The `config.json` that Hugging Face transformers reads."""
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": shape.vocab_size,
        "n_positions": shape.n_positions,
        "n_embd": shape.n_embd,
        "n_layer": shape.n_layer,
        "n_head": shape.n_head,
        "n_inner": None,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": shape.layer_norm_epsilon,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "initializer_range": 0.02,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "tie_word_embeddings": True,
        "dtype": "float16",
    }


def write_model(trainer: Trainer, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config, weights (float16, Conv1D matrices turned to [in, out]) and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    config = hugging_face_config(trainer.shape, trainer.end_of_text)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = {
        f"transformer.{name}": (tensor.T if name.endswith(CONV1D) else tensor).to(torch.float16).contiguous()
        for name, tensor in trainer.model.state_dict().items()
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "GPT2Tokenizer",
                "add_prefix_space": False,
                "bos_token": "<|endoftext|>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<|endoftext|>",
                "model_max_length": trainer.shape.n_positions,
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )


def shipped_weights(trainer: Trainer, folder: Path) -> None:
    """Load the written weights, rounded to float16, back into the trainer's model."""
    written = load_checkpoint(folder).weights
    state = {name: torch.from_numpy(written[name].copy()) for name in trainer.model.state_dict()}
    trainer.model.load_state_dict(state)


def head_table(scores: HeadScores) -> str:
    """A Markdown table: one row a layer, `previous / induction` in per cent for each head."""
    n_head = scores.previous_token.shape[1]
    lines = ["| | " + " | ".join(f"H{head}" for head in range(n_head)) + " |", "|---" * (n_head + 1) + "|"]
    for layer, (previous, induction) in enumerate(zip(scores.previous_token, scores.induction, strict=True)):
        cells = [f"{100 * p:.0f} / {100 * i:.0f}" for p, i in zip(previous, induction, strict=True)]
        lines.append(f"| L{layer} | " + " | ".join(cells) + " |")
    best = np.unravel_index(scores.previous_token.argmax(), scores.previous_token.shape)
    copy = np.unravel_index(scores.induction.argmax(), scores.induction.shape)
    lines += [
        "",
        f"Strongest previous-token head: L{best[0]}·H{best[1]} ({scores.previous_token.max():.0%}); "
        f"strongest induction head: L{copy[0]}·H{copy[1]} ({scores.induction.max():.0%}).",
    ]
    return "\n".join(lines)


def write_card(trainer: Trainer, folder: Path, result: HeldOut, scores: HeadScores, documents: tuple[int, int]) -> None:
    """Write the model card; `documents` counts those trained on and those held out."""
    shape, settings = trainer.shape, trainer.settings
    card_values = {
        **vars(shape),
        "params": sum(parameter.numel() for parameter in trainer.model.parameters()) / 1e6,
        "documents": documents[0],
        "held_out_documents": documents[1],
        "held_out_percent": 100 * documents[1] / sum(documents),
        "seed": settings.seed,
        "tokens": trainer.step * settings.batch * shape.n_positions / 1e6,
        "steps": trainer.step,
        "batch": settings.batch,
        "learning_rate": settings.learning_rate,
        "warmup": settings.warmup_steps,
        "decay": settings.decay_share,
        "repeats": settings.repeat_share,
        "until": settings.repeats_until,
        "precision": "bfloat16" if trainer.has_bfloat16 else "float32",
        "bits": result.bits_per_byte,
        "nats": result.nats_per_token,
        "heads": head_table(scores),
    }
    (folder / "README.md").write_text(CARD.format(**card_values), encoding="utf-8")
