"""How a part of the model is named, in labels and in sentences; `names.js` follows the same rules, and a test compares.

| what | name |
|---|---|
| a layer | L2 |
| a head | L2·H4 |
| a layer's MLP, or its attention | MLP of L2, attention of L2 |
| a neuron of a layer's MLP | L2·N311; N311 where the layer is said (in Python alone) |

Layers, heads and neurons count from 0, as in the names of hooks.
"""


def layer_name(layer: int) -> str:
    """A layer: 'L2'."""
    return f"L{layer}"


def head_name(layer: int, head: int) -> str:
    """One attention head: 'L2·H4'."""
    return f"{layer_name(layer)}·H{head}"


def neuron_name(layer: int, neuron: int) -> str:
    """One neuron of an MLP: 'L2·N311'."""
    return f"{layer_name(layer)}·N{neuron}"


def part_name(part: str, layer: int) -> str:
    """One of the two parts of a layer: 'MLP of L2'."""
    return f"{part} of {layer_name(layer)}"
