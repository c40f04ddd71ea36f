"""The measurements as text, for people."""

from typing import Any

HEADING = "{:18}{:>7}{:>20}{:>20}{:>20}{:>8}{:>10}"
LABELS = {
    "step": "a whole step",
    "decode": "its forward pass",
    "prefill": "a prompt",
    "run": "a token of a run",
    "cold start": "cold start",
    "load": "load",
}


def table(found: dict[str, Any]) -> str:
    """A report of `bench.report`, of either kind, as lines of text."""
    model, machine = found["model"], found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    weights = ", random weights" if model["random_weights"] else ""
    lines = [
        f"{model['name']}: {model['parameters'] / 1e6:.1f} million parameters, {model['n_layer']} layers, "
        f"{model['n_head']} heads, width {model['n_embd']}{weights}",
        f"{machine['cpu']}, {machine['cores']} core{'s' * (machine['cores'] > 1)}, {machine['memory_gb']:.0f} GB, "
        f"{machine['platform']}, load {machine['load_average']}",
        versions,
    ]
    if found["compile_s"] is not None:
        lines.append(f"Its graphs were compiled first, in {found['compile_s']:.0f} s.")
    kinds = {"visitors": visitor_lines, "serve": serve_lines}
    told = next((tell for kind, tell in kinds.items() if kind in found), comparison_lines)
    return "\n".join([*lines, "", *told(found)])


def comparison_lines(found: dict[str, Any]) -> list[str]:
    """One row for each piece of work, with medians (and minima) in milliseconds."""
    lines = [
        HEADING.format("median (min), ms", "tokens", "everything", "transformers", "transformers", "faster", "limit:"),
        HEADING.format("", "", "captured", "with outputs", "without", "by", "share"),
    ]
    for row in found["rows"]:
        length = "" if row["length"] is None else str(row["length"])
        cells = "".join(f"{cell(row[side]):>20}" for side in ("ours_ms", "hf_outputs_ms", "hf_plain_ms"))
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f} x"
        limit = "" if row["limit"] is None else f"{row['limit']:.0%}"
        lines.append(f"{LABELS[row['what']]:18}{length:>7}{cells}{ratio:>8}{limit:>10}".rstrip())
    sides = [side for side in found["memory_mb"] if side != "here"]
    memory, cache = found["memory_mb"], found["without_cache"]
    parts = ", ".join(f"{part.replace('_', ' ')} {ms:.2f}" for part, ms in found["run_parts_ms"].items())
    rates = ", ".join(f"{side.replace('_', ' ')} {rate:.1f}" for side, rate in found["tokens_per_s"].items())
    lines += [
        "",
        f"The limit: this machine reads all weights once in {found['weights_read_ms']:.2f} ms.",
        f"Tokens a second in a run: {rates}.",
        f"A token of a run, in ms: {parts}.",
        f"After {cache['length']} tokens: {cache['cached_ms']['median']:.2f} ms with the cache, "
        f"{cache['recomputed_ms']['median']:.2f} ms recomputed: {cache['ratio']:.1f} x.",
        "Memory of a fresh process at its first token (and at its peak), in MB: "
        + ", ".join(f"{side} {memory[side]['first_token']:.0f} ({memory[side]['peak']:.0f})" for side in sides)
        + ".",
        f"Memory of this process, in MB: {memory['here']['loaded']:.0f} with the model loaded, "
        f"{memory['here']['all_measured']:.0f} after all measurements, {memory['here']['peak']:.0f} at its peak.",
    ]
    if found["largest_logits_difference"] is not None:
        lines.append(f"Largest difference of logits between the programs: {found['largest_logits_difference']:.1e}.")
    if found["left_out_lengths"]:
        lines.append(f"Left out for lack of memory: {', '.join(map(str, found['left_out_lengths']))} tokens.")
    return [*lines, found["missing"]] if found["missing"] else lines


def cell(timing: dict[str, float] | None) -> str:
    """One timing."""
    if timing is None:
        return ""
    digits = 2 if timing["median"] < 100 else 0
    return f"{timing['median']:,.{digits}f} ({timing['min']:,.{digits}f})"


def visitor_lines(found: dict[str, Any]) -> list[str]:
    """Waits alone and at once, and whether all runs passed."""
    results = found["visitors"]
    lines = [
        f"{results['visitors']} at once, {results['runs']} runs of up to {results['tokens_each']} tokens",
        f"{'p50 / p95, ms':18}{'first token':>22}{'next token':>22}{'tokens a second':>18}",
    ]
    for which, label in (("alone", "one after another"), ("at_once", "at once")):
        waits = results[which]
        lines.append(
            f"{label:18}{pair(waits['first_token_ms']):>22}{pair(waits['token_ms']):>22}{waits['tokens_per_s']:>18.1f}"
        )
    memory = results["memory_mb"]
    after = ", ".join(f"{note['mb']:.0f} after {note['runs']}" for note in memory["after_runs"])
    lines += [
        f"Equal to the text made alone: {results['equal_texts']} of {results['runs']}. Errors: {results['errors']}.",
        *results["error_sentences"],
        f"Memory, in MB: first {memory['first']:.0f}, last {memory['last']:.0f}, most {memory['max']:.0f}, "
        f"peak of the process {memory['peak']:.0f} (runs: {after}).",
    ]
    return [*lines, "passed" if results["passed"] else "FAILED"]


def serve_lines(found: dict[str, Any]) -> list[str]:
    """Tokens a second of the server, of the engine's own turns, and of other servers."""
    results = found["serve"]
    counts = list(results["sides"]["served"])
    lines = [
        f"Greedy, {results['tokens_each']} tokens a request, medians of {results['rounds']} rounds",
        f"{'':32}" + "".join(f"{f'{count} at once':>12}{'first token':>14}" for count in counts),
    ]
    for name, by_count in results["sides"].items():
        cells = "".join(
            f"{by_count[count]['tokens_per_s']:>8.1f} /s{by_count[count]['first_token_ms']:>11.0f} ms"
            for count in counts
        )
        lines.append(f"{name:32}{cells}")
    first, second = results["start_s"]
    memory = "" if results["memory_mb"] is None else f" Memory of all its processes: {results['memory_mb']:.0f} MB."
    return [
        *lines,
        f"Ready {first:.1f} s after the first start, {second:.1f} s after the second.{memory}",
        f"Equal to the engine's text: {results['equal_texts']} of {results['texts']}.",
    ]


def pair(percentiles: dict[str, float] | None) -> str:
    """The median and the 95th percentile."""
    return "" if percentiles is None else f"{percentiles['p50']:,.1f} / {percentiles['p95']:,.1f}"
