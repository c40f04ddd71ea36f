"""What the neurons of one MLP are sorted by: their activation, the norm of what they write, or its direct effect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.model.inputs import MLP_OUT
from gpt2.reading.neurons import Neurons, direct_effects, written_norms
from gpt2.trace.trace import Trace
from pages.look.names import layer_name, neuron_name
from pages.look.numbers import number, signed
from pages.look.tokens import spoken, spoken_at

Array = NDArray[np.float32]
ACTIVATION, NORM, EFFECT = "Activation", "Norm written", "Direct effect"
# The option that stands for the first neuron of the sorted ones, at every step.
FIRST = -1


@dataclass(frozen=True)
class Measured:
    """The neurons of one MLP at one token, measured.

    Attributes:
        target: the token that the direct effect is on, the one that follows in the text; the likeliest if none does.
        values: the numbers of each measure; without the model's weights only activations.

    Shapes: values [d_mlp] each.
    """

    trace: Trace
    neurons: Neurons
    target: int | None
    values: dict[str, Array]

    @classmethod
    def of(cls, trace: Trace, checkpoint: Checkpoint | None, layer: int, position: int) -> "Measured":
        """Measure them.

        Raises:
            TraceError: if the run dropped them and cannot recompute them.
        """
        neurons = Neurons.of(trace, layer, position)
        if checkpoint is None:
            return cls(trace, neurons, None, {ACTIVATION: neurons.post})
        followers = trace.ids[position + 1 :]
        target = int(followers[0] if followers else trace.step(-1).logits.argmax())
        norms, effects = written_norms(checkpoint, neurons), direct_effects(checkpoint, neurons, target)
        return cls(trace, neurons, target, {ACTIVATION: neurons.post, NORM: norms, EFFECT: effects})

    @property
    def target_label(self) -> str:
        """The token that the direct effect is on, marked as a token."""
        return "" if self.target is None else spoken(self.trace.vocabulary.label(self.target))

    @property
    def here(self) -> str:
        """The token that the neurons work on, marked as a token."""
        return spoken_at(self.trace, self.neurons.position)

    @property
    def is_changed(self) -> bool:
        """Whether an intervention changed what this MLP adds to the stream here."""
        changed = self.trace.layer_inputs(self.neurons.layer, (MLP_OUT,)).changed(MLP_OUT)  # [seq]
        return bool(changed[self.neurons.position])

    def order(self, measure: str) -> list[int]:
        """All neurons, the largest first; of direct effects, whatever their sign."""
        values = self.values[measure]
        return [int(at) for at in np.argsort(-np.abs(values) if measure == EFFECT else -values, kind="stable")]

    def options(self, order: Sequence[int]) -> list[int]:
        """What can be chosen: the first of the list, or a neuron by its number among those of all layers.

        So a choice ends with its layer: the same number in another layer is another neuron.
        """
        return [FIRST, *map(self.option, order)]

    def option(self, neuron: int) -> int:
        """The option of a neuron."""
        return self.neurons.layer * len(self.neurons.pre) + neuron

    def chosen(self, choice: int, order: Sequence[int]) -> int:
        """The neuron of an option."""
        return order[0] if choice == FIRST else choice % len(order)

    def numbers(self, neuron: int) -> list[tuple[str, tuple[int, int]]]:
        """The hooks and indices of a neuron's activation, and of the largest number that its MLP writes."""
        block, position = f"blocks.{self.neurons.layer}", self.neurons.position
        most = int(np.abs(self.trace.row(f"{block}.{MLP_OUT}", position)).argmax())
        return [(f"{block}.mlp.hook_post", (position, neuron)), (f"{block}.{MLP_OUT}", (position, most))]

    def name(self, neuron: int) -> str:
        """A neuron's name."""
        return neuron_name(self.neurons.layer, neuron)


def option_label(many: int, choice: int) -> str:
    """The text of an option, the same at every step, because the browser remembers it.

    A widget outlives its rerun and holds the function that writes its options, so this takes no trace.

    Args:
        many: how many neurons a layer has.
        choice: the option.
    """
    return "The first of the list" if choice == FIRST else neuron_name(*divmod(choice, many))


def no_weights_sentence(trace: Trace) -> str:
    """The sentence to show instead of what a neuron writes if other weights than the run's are loaded."""
    return (
        f"What a neuron writes needs the weights that made this run ({trace.model}), but others are loaded. "
        "Run a prompt of your own to see it."
    )


def leaders_sentence(measured: Measured) -> str:
    """The first neuron by each measure: they seldom agree."""
    neurons = measured.neurons
    first = {measure: measured.order(measure)[0] for measure in measured.values}
    most = first[ACTIVATION]
    parts = [f"N{most} is most active ({number(float(neurons.post[most]))})"]
    if NORM in first:
        norm, effect = first[NORM], first[EFFECT]
        own = "it" if norm == most else f"N{norm}"
        parts.append(f"{own} writes the longest vector (norm {number(float(measured.values[NORM][norm]))})")
        own = "it" if effect == norm else f"N{effect}"
        value = signed(float(measured.values[EFFECT][effect]))
        parts.append(f"{own} has the largest direct effect on {measured.target_label} ({value} of its logit)")
    listed = ", and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    sentence = f"In {layer_name(neurons.layer)} at {measured.here}, {listed}."
    if measured.is_changed:
        sentence += " An intervention changes what this MLP adds here; these numbers are from before it."
    return sentence
