"""The cold start: a fresh interpreter from nothing to the first token, timed from outside.

The child runs this file: `python -m gpt2.bench.first_token ours|transformers FOLDER`. When it has a token and still
holds the model, it prints one line with its memory. transformers gets ids, so its tokenizer is not timed.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from gpt2.errors import EngineError

from .machine import peak_mb, resident_mb

PROMPT = "Once upon a time"
PROMPT_IDS = (1, 2, 3, 4)
ROOT = Path(__file__).parent.parent.parent


def cold_start(which: str, folder: Path) -> tuple[float, dict[str, float]]:
    """Milliseconds from starting the interpreter to its first token, and its memory then and at its peak, in MB.

    Raises:
        EngineError: if the child ends without a token.
    """
    command = [sys.executable, "-m", "gpt2.bench.first_token", which, str(folder.resolve())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    since = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            ms = (time.perf_counter() - since) * 1000
        finally:
            child.kill()
    if not line:
        raise EngineError(f"A fresh interpreter made no token of {folder} ({which}); try python -m gpt2 generate.")
    return ms, json.loads(line)


def first_token(which: str, folder: Path) -> dict[str, float]:
    """Import, load, read a prompt and draw one token, all timed by `cold_start`; returns its memory in MB."""
    if which == "ours":
        import gpt2

        engine = gpt2.load(str(folder))
        next(engine.generate(PROMPT, 1))
        return held()
    import torch
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    with torch.inference_mode():
        outputs = model.eval()(torch.tensor([PROMPT_IDS]), output_attentions=True, output_hidden_states=True)
        outputs.logits[0, -1].argmax()
    return held()


def held() -> dict[str, float]:
    """Megabytes that this process holds, and the most it ever held."""
    return {"first_token": resident_mb(), "peak": peak_mb()}


def main() -> None:
    """Make one token, then print the memory."""
    print(json.dumps(first_token(sys.argv[1], Path(sys.argv[2]))), flush=True)


if __name__ == "__main__":
    main()
