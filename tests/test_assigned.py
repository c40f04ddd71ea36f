"""Claims about a reader's own names: each parameter gets the weight that is meant for it, part by part."""

import numpy as np
import pytest

from gpt2.learn.trial import WrongKind, assigned

SHAPES = {
    "ln_1.weight": (4,),
    "ln_1.bias": (4,),
    "attn.c_attn.weight": (12, 4),
    "attn.c_attn.bias": (12,),
    "attn.c_proj.weight": (4, 4),
    "attn.c_proj.bias": (4,),
    "ln_2.weight": (4,),
    "ln_2.bias": (4,),
    "mlp.c_fc.weight": (16, 4),
    "mlp.c_fc.bias": (16,),
    "mlp.c_proj.weight": (4, 16),
    "mlp.c_proj.bias": (4,),
}
WEIGHTS = {name: np.full(shape, number, np.float32) for number, (name, shape) in enumerate(SHAPES.items())}

RENAMED = {
    "both norms first": {"norm_1": "ln_1", "norm_2": "ln_2", "attention": "attn", "feed_forward": "mlp"},
    "the MLP first": {"mlp": "mlp", "attention": "attn", "before": "ln_1", "after": "ln_2"},
    "a list of norms": {"norms.0": "ln_1", "norms.1": "ln_2", "parts.0": "attn", "parts.1": "mlp"},
    "one known name of two": {"other": "ln_1", "ln_2": "ln_2", "look": "attn", "think": "mlp"},
}


@pytest.mark.parametrize("names", RENAMED.values(), ids=RENAMED)
def test_parts_of_other_names_get_their_own_weights(names: dict[str, str]) -> None:
    meant = {
        own + known.removeprefix(part): known
        for own, part in names.items()
        for known in SHAPES
        if known.startswith(f"{part}.")
    }
    found = assigned(WEIGHTS, {own: SHAPES[known] for own, known in meant.items()})
    assert {own: int(weight.flat[0]) for own, weight in found.items()} == {
        own: list(SHAPES).index(known) for own, known in meant.items()
    }


def test_parameters_without_parts_go_by_order_and_shape() -> None:
    flat = {f"p{number}": shape for number, shape in enumerate(SHAPES.values())}
    found = assigned(WEIGHTS, flat)
    assert [int(found[name].flat[0]) for name in flat] == list(range(len(SHAPES)))


def test_parameters_of_the_block_itself_get_what_its_parts_leave() -> None:
    own = {"gain_1": (4,), "shift_1": (4,), "gain_2": (4,), "shift_2": (4,)}
    rest = {name: shape for name, shape in SHAPES.items() if not name.startswith("ln_")}
    found = assigned(WEIGHTS, own | {f"my_{name}": shape for name, shape in rest.items()})
    assert [int(found[name].flat[0]) for name in own] == [0, 1, 6, 7]


def test_a_parameter_that_no_weight_fits_is_named_with_its_shape() -> None:
    with pytest.raises(WrongKind, match=r"The parameter wide has the shape \[5\]; the component has ln_1.weight \[4\]"):
        assigned(WEIGHTS, {"wide": (5,)})
