"""What a page says where a long run was squeezed into its memory: which numbers are not as they were captured."""

from collections.abc import Sequence

from gpt2.trace import Trace

# How each way of keeping is told, with the names of the hooks.
TOLD = {
    "difference": "{hooks} {are} the difference of two points of the stream",
    "float16": "{hooks} {are} kept in half precision, within 0.05 % of each weight",
    "recomputed": "{hooks} {are} computed again from the stream when shown, within 0.001 %",
}
LACKING = "{hooks} {are} not kept, and the model that would compute them again is not loaded"


def kept_sentence(trace: Trace, hooks: Sequence[str]) -> str:
    """How the hooks that a page shows are kept where not as captured; empty where all are.

    Args:
        trace: the run.
        hooks: names within a block, such as `attn.hook_q`, or `logits`.
    """
    names = {hook: hook if hook == "logits" else f"blocks.0.{hook}" for hook in hooks}
    told = []
    for way, told_way in TOLD.items():
        found = [hook.rpartition(".")[2] for hook, name in names.items() if trace.kept(name) == way]
        if found:
            listed = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
            sentence = LACKING if way == "recomputed" and trace.source is None else told_way
            told.append(sentence.format(hooks=listed, are="are" if len(found) > 1 or listed == "logits" else "is"))
    if not told:
        return ""
    changed = [step for step in trace.steps if any(step.kept.kept(name) != "float32" for name in names.values())]
    count = sum(len(step.ids) for step in changed)
    where = f"{count} of {trace.seq} positions" if count < trace.seq else f"all {count} positions"
    return f"To stay within the memory of one run, at {where}: {'; '.join(told)}."
