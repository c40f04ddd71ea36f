"""One step of a trace as bytes: what every panel of the stage needs to draw it, numbers straight from the trace.

A record is the length of its JSON part (uint32, little-endian), the JSON, and arrays of numbers, each aligned to four
bytes; `arrays` in the JSON says where each one lies.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt2.model.sampling import Distribution, Draw, entropy_bits
from gpt2.reading.tables import Tables
from gpt2.text.characters import MOST_BYTES, split_characters
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Step, Trace

from . import sentences

# A row of a pattern is sent with its last keys only, so that a long context does not flood the wire.
PATTERN_WINDOW = 128
FULL = 65535
BARS, SEGMENTS, NEAREST = 16, 40, 4
DROPPED = "This step's {} were dropped to save memory, and the model that made the run is not loaded."
KEPT, CUT_BY_TOP_K, CUT_BY_TOP_P = 0, 1, 2


def pack_step(trace: Trace, index: int, tables: Tables | None) -> bytes:
    """The record of step `index`; it depends on this step and the tokens before it alone."""
    step, vocabulary = trace.step(index), trace.vocabulary
    distribution = None if step.draw is None or "logits" not in step.captures else step.distribution
    shown = max(0, len(step.ids) - PATTERN_WINDOW)
    patterns = pattern_rows(trace, step, shown)  # [layer, head, query, key]
    newest = patterns[:, :, -1]  # [layer, head, key]
    embedding = np.stack([step.captures[name][-1] for name in ("hook_embed", "hook_pos_embed")])
    norms = step.norms[:, :, -1].astype("<f4")  # [5, layer]
    text = trace.cut(index + 1)
    has_patterns = newest.size > 0
    window, first = pattern_window(patterns, step.stop - patterns.shape[2])
    meta = {
        "start": step.start,
        "stop": step.stop,
        "ids": step.ids,
        "labels": [vocabulary.label(token) for token in step.ids],
        "bytes": [vocabulary[token].hex() for token in step.ids],
        "split": shared_characters(text, step.start),
        "ms": step.ms,
        "changed": bool(step.interventions),
        "sharpest": sentences.sharpest_head(newest) if has_patterns else [0, 0, 0],
        "nearest": nearest_tokens(trace, step.ids[-1], tables),
        "lens": lens_rows(step, trace),
        "next": next_token(step.draw, distribution, vocabulary),
        "says": {
            "embedding": sentences.say_embedding(text, step.stop - 1),
            "residual": sentences.say_residual(norms[1], norms[3]),
            "heads": sentences.say_heads(newest, text) if has_patterns else (DROPPED.format("patterns"),),
            "lens": sentences.say_lens(step, vocabulary),
            **say_next(step, distribution, vocabulary),
        },
    }
    arrays = {
        "pattern": window,
        "first": first,
        # Of all keys, those before the window too.
        "strongest": newest.argmax(axis=-1).astype("<u2"),  # [layer, head]
        "strongest_share": newest.max(axis=-1).astype("<f4"),  # [layer, head]
        "embedding": np.vstack([embedding, embedding.sum(0)]),
        "norms": norms,
    }
    return join(meta, arrays)


def shared_characters(text: Trace, start: int) -> list[list[Any]]:
    """The characters that several tokens share, if they end at position `start` or later.

    One that an earlier token ends is in the record of that token's step, or of the draw before it.

    Returns:
        First position, last position and label of each.
    """
    first = max(0, start - MOST_BYTES + 1)
    shared = split_characters([text.vocabulary[token] for token in text.ids[first:]], first)
    return [[one.first, one.last, one.label] for one in shared if one.last >= start]


def pattern_rows(trace: Trace, step: Step, first: int) -> NDArray[np.float32]:
    """The patterns of a step's queries from its `first` on; no heads if they were dropped and cannot be recomputed.

    Shapes: [layer, head, query, key].
    """
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(trace.config.n_layer)]
    if all(name in step.captures for name in names):
        return np.stack([step.captures.rows(name, first, len(step.ids)) for name in names])
    if trace.recomputer is None:
        return np.zeros((trace.config.n_layer, 0, len(step.ids) - first, step.stop), np.float32)
    rows = [trace.queries(name, step.start + first, step.stop) for name in names]
    return np.stack(rows)[:, :, :, : step.stop]


def join(meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Put the JSON part and the arrays together."""
    places, body = {}, bytearray()
    for name, array in arrays.items():
        places[name] = {"type": array.dtype.str[1:], "at": len(body), "shape": array.shape}
        body += np.ascontiguousarray(array).tobytes()
        body += bytes(-len(body) % 4)
    text = json.dumps({**meta, "arrays": places}, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + bytes(body)


def split(record: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Take apart what `join` put together."""
    begin = 4 + int.from_bytes(record[:4], "little")
    meta = json.loads(record[4:begin])
    arrays = {}
    for name, place in meta["arrays"].items():
        count = int(np.prod(place["shape"]))
        dtype = np.dtype("<" + place["type"])
        arrays[name] = np.frombuffer(record, dtype, count, begin + place["at"]).reshape(place["shape"])
    return meta, arrays


def pattern_window(patterns: NDArray[np.floating], start: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """The last keys of the last queries, and every query's weight on the first key, as 65,535ths.

    Shapes: patterns [layer, head, query, key] -> [layer, head, row, width], [layer, head, row]. The last column of a
    row is the query itself; columns that would lie before the first key are 0.
    """
    seq, width = patterns.shape[2], min(patterns.shape[3], PATTERN_WINDOW)
    rows = min(seq, PATTERN_WINDOW)
    query = np.arange(start + seq - rows, start + seq)
    key = query[:, None] - width + 1 + np.arange(width)  # [row, width]
    shown = patterns[:, :, seq - rows :]
    window = np.where(key >= 0, np.take_along_axis(shown, np.maximum(key, 0)[None, None], 3), 0)
    return _fixed(window), _fixed(shown[:, :, :, 0])


def _fixed(shares: NDArray[np.floating]) -> NDArray[np.uint16]:
    return np.rint(shares.astype(np.float64) * FULL).astype("<u2")


def nearest_tokens(trace: Trace, token: int, tables: Tables | None) -> list[list[Any]]:
    """Label and cosine of the tokens nearest to this one."""
    if tables is None or len(tables.wte) != trace.config.vocab_size:
        return []
    return [[trace.vocabulary.label(other), cosine] for other, cosine in tables.nearest(token, NEAREST)]


def lens_rows(step: Step, trace: Trace) -> dict[str, Any] | None:
    """The logit lens, one row for the embedding and one a layer: labels, ids, probabilities."""
    if step.lens is None:
        return None
    return {
        "labels": [[trace.vocabulary.label(int(token)) for token in row] for row in step.lens.tokens],
        "ids": step.lens.tokens.tolist(),
        # With few digits, for the message's sake; a share that is not zero stays so.
        "probabilities": [[short(p) for p in row] for row in step.lens.probabilities],
        "drawn": [short(p) for p in step.lens.drawn],
    }


def short(share: float) -> float:
    """A probability with five digits, wherever the first of them is."""
    return float(f"{share:.4e}")


def next_token(draw: Draw | None, distribution: Distribution | None, vocabulary: Vocabulary) -> dict[str, Any] | None:
    """The next-token distribution, what was cut from it, and the draw; None if nothing was drawn."""
    if draw is None or distribution is None:
        return None
    rank = distribution.rank(draw.token)
    kept = distribution.order[: int(np.count_nonzero(distribution.final))]
    begin, end = sentences.stretch(distribution, draw.token)
    ranks = [*range(1, min(BARS, len(distribution.order)) + 1), *([rank] if rank > BARS else [])]
    return {
        "token": draw.token,
        "label": vocabulary.label(draw.token),
        "bytes": vocabulary[draw.token].hex(),
        "u": draw.u,
        "sampling": draw.sampling.to_dict(),
        "raw": float(distribution.raw[draw.token]),
        "final": float(distribution.final[draw.token]),
        "rank": rank,
        "surprisal": distribution.surprisal_bits(draw.token),
        "entropy": entropy_bits(distribution.raw),
        "cut_by_top_k": distribution.removed_by_top_k,
        "cut_by_top_p": distribution.removed_by_top_p,
        "kept": len(kept),
        "from": begin,
        "to": end,
        "bars": [bar(distribution, rank, draw.token, vocabulary) for rank in ranks],
        "segments": [[vocabulary.label(int(t)), float(distribution.final[t]), int(t)] for t in kept[:SEGMENTS]],
        "rest": float(distribution.final[kept[SEGMENTS:]].sum()),
    }


def bar(distribution: Distribution, rank: int, drawn: int, vocabulary: Vocabulary) -> dict[str, Any]:
    """One row of the bar chart: `raw` is the model's own probability, `final` what the draw saw."""
    token, cut = int(distribution.order[rank - 1]), KEPT
    if distribution.final[token] == 0:
        cut = CUT_BY_TOP_K if distribution.after_top_k[token] == 0 else CUT_BY_TOP_P
    return {
        "label": vocabulary.label(token),
        "token": token,
        "raw": float(distribution.raw[token]),
        "final": float(distribution.final[token]),
        "cut": cut,
        "chosen": token == drawn,
        "rank": rank,
    }


def say_next(step: Step, distribution: Distribution | None, vocabulary: Vocabulary) -> dict[str, sentences.Sentence]:
    """The sentences on the distribution and the draw."""
    if step.draw is None or distribution is None:
        nothing = ("Nothing was drawn at this step." if step.draw is None else DROPPED.format("logits"),)
        return {"bars": nothing, "draw": nothing}
    return {
        "bars": sentences.say_bars(entropy_bits(distribution.raw), distribution, step.draw),
        "draw": sentences.say_draw(distribution, step.draw, vocabulary),
    }
