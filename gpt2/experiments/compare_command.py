"""`python -m gpt2 compare`: its options, and what it prints: two runs in lockstep, a line a step."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy, which they need, is imported only once there is room for it
    from gpt2.model.sampling import Sampling

    from .command import Ready
    from .trace_pair import TracePair


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options beside the prompt, the model and the settings of the draws."""
    second = parser.add_mutually_exclusive_group(required=True)
    second.add_argument("--with-prompt", help="another prompt, which goes on with the same settings and seed")
    second.add_argument("--with-model", help="another model with the same vocabulary; it reads the first one's text")


def report(options: argparse.Namespace, ready: "Ready", sampling: "Sampling") -> tuple[dict[str, Any], str]:
    """Both runs and their distances, as one JSON object and as text; `ready` loads the models.

    Raises:
        PromptError: if a prompt cannot be run.
        SettingsError: if the vocabularies differ, or a setting does not fit the model.
    """
    from .second_run import compare

    engine, other = ready(options), None
    if options.with_model is not None:
        other = ready(argparse.Namespace(**{**vars(options), "model": options.with_model}))
    settings = options.max_new_tokens, sampling, options.ignore_eos
    pair = compare(engine, options.ids or options.prompt, options.with_prompt, other, None, *settings)
    steps, place = _steps(pair), pair.parted_at
    payload = {
        "models": [trace.model for trace in pair.both],
        "texts": [trace.text for trace in pair.both],
        "have_one_text": pair.has_one_text,
        "parted_at": place,
        "steps": steps,
    }
    lines = [_parting(pair, place), f"{'step':>4} {pair.ways[0]:>20} {pair.ways[1]:>20}  likeliest next tokens"]
    for step in steps:
        one, back = step["kl_bits"]
        first, second = (f"{best['label']!r} {best['probability']:.1%}" for best in step["likeliest"])
        lines.append(f"{step['step']:>4} {one:>15.4f} bits {back:>15.4f} bits  {first} / {second}")
    return payload, "\n".join(lines)


def _steps(pair: "TracePair") -> list[dict[str, Any]]:
    from gpt2.model.sampling import softmax

    label, found = pair.first.vocabulary.label, []
    ways, choices = pair.next_tokens(range(pair.n_steps))
    for step, (bits, tokens) in enumerate(zip(ways.T.tolist(), choices.T.tolist(), strict=True)):
        best = [
            {"id": token, "label": label(token), "probability": float(softmax(trace.step(step).logits)[token])}
            for trace, token in zip(pair.both, tokens, strict=True)
        ]
        found.append({"step": step, "kl_bits": bits, "likeliest": best})
    return found


def _parting(pair: "TracePair", place: int | None) -> str:
    if pair.has_one_text:
        return "Both read the same text, step by step."
    if place is None:
        return "One text is the beginning of the other."
    one, other = (trace.vocabulary.label(trace.ids[place]) for trace in pair.both)
    return f"The texts part at token {place}: {one!r} in the first, {other!r} in the second. Each step is compared."
