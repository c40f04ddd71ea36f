"""`python -m gpt2 attribute`: its options, and what it prints."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy, which they need, is imported only once there is room for it
    from gpt2.checkpoints.weights import Checkpoint
    from gpt2.trace.trace import Trace

    from .logit_parts import Attribution, LookedAt

SHOWN = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options beside the prompt and the model."""
    parser.add_argument("--token", help="the token, such as ' king' or '#262' (default: the likeliest, less the next)")
    parser.add_argument("--against", help="the token whose logit is subtracted")
    parser.add_argument("--position", type=int, default=-1, help="the position after which it comes (default: last)")
    parser.add_argument("--head", type=int, nargs=2, metavar=("LAYER", "HEAD"), help="follow a head back to its tokens")


def report(options: argparse.Namespace, trace: "Trace", checkpoint: "Checkpoint") -> tuple[dict[str, Any], str]:
    """What each part adds, as one JSON object and as text.

    Raises:
        PromptError: if a text is not one token.
        SettingsError: if there is no such token, position or head, or both tokens are the same.
    """
    from gpt2.text.one_token import one_token

    from .attribution import attribute, checked_position, first_and_runner_up, logits_at, looked_at

    at = checked_position(trace, options.position)
    first, runner_up = first_and_runner_up(trace, logits_at(trace, checkpoint, at)[0], at)
    tokenizer = checkpoint.tokenizer
    token = first if options.token is None else one_token(options.token, tokenizer)
    against = runner_up if options.token is None else None
    if options.against is not None:
        against = one_token(options.against, tokenizer)
    found = attribute(trace, checkpoint, token, against, at)
    words = None if options.head is None else looked_at(trace, checkpoint, found, *options.head)
    texts = {"text": trace.vocabulary.text([token])}
    texts |= {} if against is None else {"against_text": trace.vocabulary.text([against])}
    payload = {"model": checkpoint.name, "prompt_ids": list(trace.prompt_ids), **texts, **found.to_dict()}
    if words is not None:
        payload["looked_at"] = [
            {"position": key, "pattern": float(words.pattern[key]), "logit": float(words.logits[key])}
            for key in range(len(words.logits))
        ]
    return payload, "\n".join(_lines(trace, found, words))


def _lines(trace: "Trace", found: "Attribution", words: "LookedAt | None") -> list[str]:
    label = trace.vocabulary.label
    what = "the logit of" if found.against is None else "the difference of the logits of"
    tokens = [repr(label(token)) for token in (found.token, found.against) if token is not None]
    place = f"{label(trace.computed_ids[found.position])!r} (position {found.position})"
    lines = [f"After {place}: what each part adds to {what} {' and '.join(tokens)}"]
    lines += [f"{part.logit:+10.4f}  {part.name}" for part in found.largest[:SHOWN]]
    if rest := found.largest[SHOWN:]:
        lines.append(f"{sum(part.logit for part in rest):+10.4f}  the other {len(rest)} parts")
    lines.append(f"{found.total:+10.4f}  in all; the model says {found.logit:+.4f}, off by {found.error:.0e}")
    if words is not None:
        lines.append(f"What each token that {words.part.name} looked at brought to its {words.part.logit:+.4f}")
        lines += [
            f"{words.logits[key]:+10.4f}  {label(trace.computed_ids[key])!r} (position {key}, weight "
            f"{words.pattern[key]:.4f})"
            for key in words.order[:SHOWN]
        ]
    return lines
