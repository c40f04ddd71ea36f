"""What heads do, as a map: every head's score in one role, and the strongest head of each."""

import numpy as np

from gpt2.reading.roles import LEAST, ROLES, HeadRoles, roles_in_run
from gpt2.trace.trace import Trace
from pages.look.names import head_name, layer_name
from pages.look.numbers import percent, whole_percent
from pages.matrix.blob import Picture
from pages.matrix.scale import share

SOURCES = REPEATS, THIS_RUN = "Random tokens, said twice", "This run"
FORMULA = (
    r"\text{score}_{\text{role}} = \frac{1}{|Q|} \sum_{q \in Q} \text{pattern}_{q,\, k(q)}, \qquad "
    r"Q = \{q : \text{the role names a key } k(q)\}"
)
NOT_LOADED = "The model that made this run is not loaded; load it, or measure its heads on this run."


def role_label(role: str) -> str:
    """A role as a control names it: 'Induction'."""
    return f"{role[0].upper()}{role[1:]}"


def operands() -> list[str]:
    """The key that each role names."""
    return [f"{role}: k(q) is {looks_at}" for role, looks_at in ROLES.items()]


def role_map(found: HeadRoles, role: str, height: int) -> Picture:
    """Every head's score in one role, layers upwards."""
    scores, looks_at = found.score(role), ROLES[role]
    layers = range(len(scores))[::-1]
    notes = [[f"{name}: the mean weight on {looks_at}" for name in row] for row in _names(found, role)]
    return Picture(
        scores[::-1],
        [layer_name(layer) for layer in layers],
        [f"H{head}" for head in range(scores.shape[1])],
        share(f"mean weight on {looks_at}", "attention", square_root=True),
        f"{role_label(role)} heads",
        f"{role_sentence(found, role)} {roles_sentence(found)} Click a head to see it in detail.",
        "hook_pattern, mean over queries",
        notes=notes[::-1],
        locks=True,
        height=height,
    )


def map_of_run(trace: Trace, role: str, height: int) -> Picture:
    """The same, measured on the run that is shown."""
    return role_map(roles_in_run(trace), role, height)


def strongest_tile(picture: Picture) -> tuple[int, int]:
    """The (row, column) of the map's largest score."""
    row, column = np.unravel_index(int(np.nan_to_num(picture.values, nan=-1.0).argmax()), picture.values.shape)
    return int(row), int(column)


def role_sentence(found: HeadRoles, role: str) -> str:
    """The head that is strongest in one role, or that none has it, and how that was measured."""
    score, looks_at = found.score(role), ROLES[role]
    if np.isnan(score).all():
        return f"No token of this run has such a key ({looks_at}), so nothing can be measured."
    layer, head = np.unravel_index(int(np.nanargmax(score)), score.shape)
    name, most = _names(found, role)[layer][head], float(score[layer, head])
    queries = found.queries[list(ROLES).index(role)]
    measured = f"mean over {queries} {'query' if queries == 1 else 'queries'} of {found.measured_on}"
    if most < LEAST:
        return (
            f"No head has this role: the largest weight on {looks_at} is {percent(most)} ({name}), below "
            f"{whole_percent(LEAST)}; {measured}."
        )
    return f"{name} looks most at {looks_at}: {percent(most)}, {measured}."


def roles_sentence(found: HeadRoles) -> str:
    """The strongest head of each role with its score, or none."""
    said = []
    for role in ROLES:
        leaders = found.leaders(role)
        names = _names(found, role)
        best = f"{names[leaders[0][0]][leaders[0][1]]} {percent(leaders[0][2])}" if leaders else "none"
        said.append(f"{role} {best}")
    return f"Strongest of each role, from {whole_percent(LEAST)}: {', '.join(said)}."


def _names(found: HeadRoles, role: str) -> list[list[str]]:
    """Every head's name, layer by layer; with its own distance if the role is the positional one."""
    n_layer, n_head = found.distance.shape
    names = [[head_name(layer, head) for head in range(n_head)] for layer in range(n_layer)]
    if role != "positional":
        return names
    return [
        [f"{name} ({distance} back)" for name, distance in zip(row, distances, strict=True)]
        for row, distances in zip(names, found.distance, strict=True)
    ]
