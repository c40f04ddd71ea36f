"""The sentence about a long run that was squeezed into its memory: which numbers differ from the captured ones."""

from collections.abc import Sequence

from gpt2.trace.captures import Storage
from gpt2.trace.trace import Trace
from pages.look.numbers import PER_CENT

SENTENCES = {
    Storage.DIFFERENCE: "{hooks} {are} the difference of two points of the stream",
    Storage.FLOAT16: "{hooks} {are} stored in half precision, within 0.05{per_cent} of each weight",
    Storage.DROPPED: "{hooks} {are} recomputed from the stream when shown, within 0.001{per_cent}",
}
MISSING = "{hooks} {are} not stored, and the model that could recompute them is not loaded"


def storage_sentence(trace: Trace, hooks: Sequence[str]) -> str:
    """How the hooks that a page shows are stored, if not as they were captured; else an empty string.

    Args:
        trace: the run.
        hooks: names within a block, such as `attn.hook_q`, or `logits`.
    """
    names = {hook: hook if hook == "logits" else f"blocks.0.{hook}" for hook in hooks}
    phrases = []
    for storage, phrase in SENTENCES.items():
        found = [hook.rpartition(".")[2] for hook, name in names.items() if trace.storage_of(name) == storage]
        if found:
            listed = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
            sentence = MISSING if storage == Storage.DROPPED and trace.recomputer is None else phrase
            phrases.append(
                sentence.format(
                    hooks=listed, per_cent=PER_CENT, are="are" if len(found) > 1 or listed == "logits" else "is"
                )
            )
    if not phrases:
        return ""
    changed = [
        step
        for step in trace.steps
        if any(step.captures.storage_of(name) != Storage.FLOAT32 for name in names.values())
    ]
    count = sum(len(step.ids) for step in changed)
    positions = f"{count} of {trace.seq} positions" if count < trace.seq else f"all {count} positions"
    return f"To stay within the memory of one run, at {positions}: {'; '.join(phrases)}."
