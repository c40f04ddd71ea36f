"""The training loop: schedule, precision, held-out loss, checkpoints that resume to the same numbers."""

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

from .corpus import Windows
from .model import GPT2, Shape
from .muon import Muon


@dataclass(frozen=True)
class Settings:
    """Everything that decides a training run besides the data and the shape."""

    tokens: int = 36_000_000
    batch: int = 16
    learning_rate: float = 4e-3
    warmup_steps: int = 100
    decay_share: float = 0.35
    repeat_share: float = 0.12
    repeats_until: float = 0.7
    clip: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class HeldOut:
    """Loss on documents the model never saw: nats per token and bits per byte of their UTF-8 text."""

    nats_per_token: float
    bits_per_byte: float


class Trainer:
    """A model, its two optimisers and the step they have reached."""

    def __init__(self, shape: Shape, settings: Settings, end_of_text: int) -> None:
        """Start a fresh run; `resume` continues a saved one."""
        torch.manual_seed(settings.seed)
        self.shape, self.settings, self.end_of_text = shape, settings, end_of_text
        self.model = GPT2(shape)
        matrices = [p for name, p in self.model.named_parameters() if name.startswith("h.") and p.ndim == 2]
        rest = [p for name, p in self.model.named_parameters() if not (name.startswith("h.") and p.ndim == 2)]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "muon": Muon(matrices, lr=settings.learning_rate),
            "adamw": torch.optim.AdamW(
                rest, lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
            ),
        }
        self.step = 0
        # bfloat16 matrix products are ten times faster if the CPU has AMX, and slower if not.
        self.has_bfloat16 = bool(torch.cpu.get_capabilities().get("amx_bf16"))
        self.precision = torch.autocast("cpu", torch.bfloat16, enabled=self.has_bfloat16)

    @property
    def progress(self) -> float:
        """The share of the token budget that is spent."""
        return self.step * self.settings.batch * self.shape.n_positions / self.settings.tokens

    def learning_rate(self) -> float:
        """Warm up linearly, hold, then fall linearly to zero over the last `decay_share` of the budget."""
        warm = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        return self.settings.learning_rate * warm * min(1.0, (1 - self.progress) / self.settings.decay_share)

    def train_step(self, windows: Windows) -> float:
        """Take one step on a fresh batch; the batch depends on seed and step only. Returns nats per token."""
        rng = np.random.default_rng([self.settings.seed, self.step])
        repeat_share = self.settings.repeat_share * max(0.0, 1 - self.progress / self.settings.repeats_until)
        ids = torch.from_numpy(windows.batch(rng, self.settings.batch, repeat_share))
        with self.precision:
            logits = self.model(ids[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate()
            with self.precision:
                optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def held_out(self, documents: list[str], encoded: list[list[int]]) -> HeldOut:
        """Score whole documents in windows that do not overlap, each document after `<|endoftext|>`, in float32."""
        nats, tokens = 0.0, 0
        for ids in encoded:
            stream = torch.tensor([self.end_of_text, *ids])
            for begin in range(0, len(ids), self.shape.n_positions):
                window = stream[begin : begin + self.shape.n_positions + 1]
                logits = self.model(window[None, :-1])[0]
                nats += F.cross_entropy(logits, window[1:], reduction="sum").item()
                tokens += len(window) - 1
        return HeldOut(nats / tokens, nats / math.log(2) / sum(len(text.encode()) for text in documents))

    def save(self, path: Path) -> None:
        """Write model, optimisers and step to one safetensors file, replacing the old one at once."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in state.items()}
        metadata = {"step": self.step, "shape": asdict(self.shape), "settings": asdict(self.settings)}
        partial = path.with_suffix(".partial")
        save_file(tensors, partial, {"training": json.dumps(metadata)})
        partial.replace(path)

    def resume(self, path: Path) -> None:
        """Continue from a file that `save` wrote; the token budget may have changed since."""
        with safe_open(path, framework="pt") as file:
            metadata = json.loads(file.metadata()["training"])
            if metadata["shape"] != asdict(self.shape):
                raise ValueError(f"{path} holds a model of another shape: {metadata['shape']}")
            self.step = metadata["step"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.model.load_state_dict({n[6:]: t for n, t in tensors.items() if n.startswith("model.")})
        for name, optimizer in self.optimizers.items():
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, tensor in tensors.items():
                if key.startswith(f"{name}."):
                    _, index, field = key.split(".")
                    state.setdefault(int(index), {})[field] = tensor
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

    def fit(self, windows: Windows, checkpoint: Path, every: int = 100) -> None:
        """Train until the budget is spent, printing and saving every `every` steps."""
        since, losses = time.monotonic(), []
        while self.progress < 1:
            losses.append(self.train_step(windows))
            if self.step % every == 0 or self.progress >= 1:
                rate = every * self.settings.batch * self.shape.n_positions / (time.monotonic() - since)
                print(
                    f"step {self.step} ({self.progress:.1%}) loss {np.mean(losses):.4f} nats/token, "
                    f"rate {self.learning_rate():.2e}, {rate:.0f} tokens/s",
                    flush=True,
                )
                self.save(checkpoint)
                since, losses = time.monotonic(), []
