"""An independent GPT-2 in NumPy float64, written from the papers and Hugging Face's definition, to compare with.

It shares no code with `gpt2`: it parses safetensors files itself, keeps Conv1D matrices as [in, out], and masks by
never looking at a later key instead of adding minus infinity.
"""

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STREAM_PLACES = ("hook_resid_pre", "hook_mlp_out", "hook_resid_post")


def read_tensors(path: Path) -> dict[str, Floats]:
    """All tensors of a safetensors file, by the format's own description: length, JSON header, raw bytes."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        raw = body[first:last]
        if entry["dtype"] == "BF16":  # the upper half of a float32
            flat = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            flat = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2", "U8": "u1", "BOOL": "?"}[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).astype(np.float64)
    return tensors


class Changes:
    """Interventions as full arrays, to be written into: each value becomes `value * scale + add`.

    Attributes: `scale` and `add`, by hook within the block. Shapes: scale [layer, seq, 1], of `attn.hook_z`
    [layer, seq, head, 1]; add [layer, seq, d_model], of `attn.hook_z` [layer, seq, head, d_head].
    """

    def __init__(self, n_layer: int, seq: int, n_head: int, d_model: int) -> None:
        """Change nothing."""
        self.scale = {hook: np.ones((n_layer, seq, 1)) for hook in STREAM_PLACES}
        self.add = {hook: np.zeros((n_layer, seq, d_model)) for hook in STREAM_PLACES}
        self.scale["attn.hook_z"] = np.ones((n_layer, seq, n_head, 1))
        self.add["attn.hook_z"] = np.zeros((n_layer, seq, n_head, d_model // n_head))

    def apply(self, hook: str, layer: int, value: Floats) -> Floats:
        """The value as it goes on."""
        return value * self.scale[hook][layer] + self.add[hook][layer]


class Reference:
    """One checkpoint folder, read whole, and its forward pass."""

    def __init__(self, folder: Path) -> None:
        """Read config and weights."""
        config = json.loads((folder / "config.json").read_text())
        self.n_layer, self.n_head, self.d_model = config["n_layer"], config["n_head"], config["n_embd"]
        self.epsilon = config.get("layer_norm_epsilon", 1e-5)
        self.weights: dict[str, Floats] = {}
        for path in sorted(folder.glob("*.safetensors")):
            for name, tensor in read_tensors(path).items():
                self.weights[name.removeprefix("transformer.")] = tensor
        self.unembedding = self.weights.get("lm_head.weight", self.weights["wte.weight"])

    def neutral(self, seq: int) -> Changes:
        """Interventions that change nothing, to be written into."""
        return Changes(self.n_layer, seq, self.n_head, self.d_model)

    def norm(self, name: str, x: Floats, at: str, hooks: dict[str, Floats]) -> Floats:
        """Layer norm with the biased variance (Ba et al., 2016); `at` names it for the hooks."""
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        hooks[f"{at}.hook_scale"], hooks[f"{at}.hook_normalized"] = scale[:, 0], centred / scale
        return centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def conv1d(self, name: str, x: Floats) -> Floats:
        """Hugging Face's Conv1D: `x @ weight + bias`, weight [in, out]."""
        return x @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def forward(self, ids: list[int] | tuple[int, ...], changes: Changes | None = None) -> dict[str, Floats]:
        """Every hook under its TransformerLens name, and `logits` [seq, vocab] of all positions."""
        seq = len(ids)
        change = changes or self.neutral(seq)
        hooks: dict[str, Floats] = {}
        hooks["hook_embed"] = self.weights["wte.weight"][list(ids)]
        hooks["hook_pos_embed"] = self.weights["wpe.weight"][:seq]
        x = hooks["hook_embed"] + hooks["hook_pos_embed"]
        for layer in range(self.n_layer):
            at, h = f"blocks.{layer}", f"h.{layer}"
            x = hooks[f"{at}.hook_resid_pre"] = change.apply("hook_resid_pre", layer, x)
            normed = self.norm(f"{h}.ln_1", x, f"{at}.ln1", hooks)
            z = self._heads(f"{at}.attn", self.conv1d(f"{h}.attn.c_attn", normed), hooks)
            z = hooks[f"{at}.attn.hook_z"] = change.apply("attn.hook_z", layer, z)
            out = hooks[f"{at}.hook_attn_out"] = self.conv1d(f"{h}.attn.c_proj", z.reshape(seq, -1))
            x = hooks[f"{at}.hook_resid_mid"] = x + out
            normed = self.norm(f"{h}.ln_2", x, f"{at}.ln2", hooks)
            pre = hooks[f"{at}.mlp.hook_pre"] = self.conv1d(f"{h}.mlp.c_fc", normed)
            post = hooks[f"{at}.mlp.hook_post"] = gelu_new(pre)
            out = change.apply("hook_mlp_out", layer, self.conv1d(f"{h}.mlp.c_proj", post))
            hooks[f"{at}.hook_mlp_out"] = out
            x = hooks[f"{at}.hook_resid_post"] = change.apply("hook_resid_post", layer, x + out)
        final = self.norm("ln_f", x, "ln_final", hooks)
        hooks["logits"] = final @ self.unembedding.T
        return hooks

    def _heads(self, name: str, qkv: Floats, hooks: dict[str, Floats]) -> Floats:
        seq = len(qkv)
        q, k, v = (part.reshape(seq, self.n_head, -1) for part in np.split(qkv, 3, axis=1))  # [seq, head, d_head]
        hooks[f"{name}.hook_q"], hooks[f"{name}.hook_k"], hooks[f"{name}.hook_v"] = q, k, v
        scores = np.full((self.n_head, seq, seq), -np.inf)
        pattern = np.zeros((self.n_head, seq, seq))
        z = np.zeros_like(q)
        for head in range(self.n_head):
            for query in range(seq):
                row = k[: query + 1, head] @ q[query, head] / math.sqrt(q.shape[-1])
                powers = np.exp(row - row.max())
                weights = powers / powers.sum()
                scores[head, query, : query + 1], pattern[head, query, : query + 1] = row, weights
                z[query, head] = weights @ v[: query + 1, head]
        hooks[f"{name}.hook_attn_scores"], hooks[f"{name}.hook_pattern"] = scores, pattern
        return z


def gelu_new(x: Floats) -> Floats:
    """GELU, tanh form (Hendrycks & Gimpel, 2016)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def relative_difference(ours: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Largest difference over the reference's largest magnitude; minus infinities must stand in the same places."""
    assert ours.shape == reference.shape, f"{ours.shape} is not {reference.shape}"
    finite = np.isfinite(reference)
    assert np.array_equal(finite, np.isfinite(ours)), "infinite in different places"
    difference = np.abs(ours[finite].astype(np.float64) - reference[finite])
    return float(difference.max() / np.abs(reference[finite]).max())
