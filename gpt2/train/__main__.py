"""`python -m gpt2.train`: train the bundled model and write it in the Hugging Face layout."""

import argparse
from dataclasses import fields
from pathlib import Path

from tokenizers import Tokenizer

from gpt2 import load
from gpt2.checkpoints.hub import BUNDLED

from .corpus import END_OF_TEXT, Windows, read_documents, split_documents, train_tokenizer
from .export import shipped_weights, write_card, write_model
from .heads import head_scores
from .loop import Settings, Trainer
from .model import Shape


def parse() -> argparse.Namespace:
    """Read the command line; every field of `Settings` is an option."""
    parser = argparse.ArgumentParser(prog="python -m gpt2.train", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="text file, .txt or .txt.xz")
    parser.add_argument("--work", type=Path, default=Path("training"), help="folder for tokenizer and checkpoint")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="folder for the finished model")
    for field in fields(Settings):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    return parser.parse_args()


def main() -> None:
    """Train from scratch, or continue from the checkpoint in `--work`."""
    arguments = parse()
    arguments.work.mkdir(parents=True, exist_ok=True)
    shape = Shape()
    training, held_out = split_documents(read_documents(arguments.corpus))
    tokenizer_file = arguments.work / "tokenizer.json"
    if not tokenizer_file.exists():
        train_tokenizer(training, shape.vocab_size).save(str(tokenizer_file))
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    settings = Settings(**{field.name: getattr(arguments, field.name) for field in fields(Settings)})
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(training)]
    windows = Windows.of(encoded, end_of_text, shape.n_positions, shape.vocab_size, settings.seed)
    print(f"{len(training)} documents, {len(windows.stream)} tokens; {len(held_out)} documents held out", flush=True)
    trainer = Trainer(shape, settings, end_of_text)
    checkpoint = arguments.work / "checkpoint.safetensors"
    if checkpoint.exists():
        trainer.resume(checkpoint)
        print(f"continuing at step {trainer.step}", flush=True)
    trainer.fit(windows, checkpoint)
    write_model(trainer, tokenizer, arguments.out)
    shipped_weights(trainer, arguments.out)
    held_out_ids = [encoding.ids for encoding in tokenizer.encode_batch(held_out)]
    result = trainer.held_out(held_out, held_out_ids)
    print(f"held out: {result.nats_per_token:.4f} nats/token, {result.bits_per_byte:.4f} bits/byte", flush=True)
    scores = head_scores(load(str(arguments.out)), held_out_ids[:8])
    write_card(trainer, arguments.out, result, scores, (len(training), len(held_out)))


if __name__ == "__main__":
    main()
