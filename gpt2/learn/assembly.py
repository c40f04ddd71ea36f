"""A reader's twelve files as one GPT-2: their classes take the places of the project's, and its graphs are traced anew.

Only a process of its own may do this: the project's modules are changed for good.
"""

import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from max.driver import CPU, Buffer

from gpt2.checkpoints.hub import BUNDLED
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import compiled
from gpt2.engine.engine import Engine
from gpt2.errors import GPT2Error
from gpt2.interpreter.interpreter import Interpreter, as_buffer
from gpt2.model import graphs
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS, hook_axes, output_names
from gpt2.model.sampling import Draw, Sampling

from .lesson import Array, Lesson
from .lessons import LESSONS, lesson_of
from .reasons import IN_WORDS, failure
from .trial import WrongKind, define, defined, traced, types_of
from .verdict import difference, scale_of

TOLERANCE = 1e-4
# What both models are tried on before the reader's is used: a prompt, and two tokens more, of which one is drawn.
IDS, SETTINGS = (11, 402, 7, 7, 31, 250), (Sampling(temperature=0), Sampling(0.8, 50, 0.95, seed=3))
# The lessons whose code a hook's numbers come from, given that all before them are right.
MAKERS = {
    "hook_embed": (5, 6),
    "hook_pos_embed": (5, 6),
    "hook_resid_pre": (6, 10),
    "hook_scale": (3, 9),
    "hook_normalized": (3, 9),
    "hook_q": (3, 7, 9),
    "hook_k": (7,),
    "hook_v": (7,),
    "hook_attn_scores": (2, 7),
    "hook_pattern": (7,),
    "hook_z": (7,),
    "hook_attn_out": (7, 9),
    "hook_resid_mid": (9,),
    "hook_pre": (3, 4, 9),
    "hook_post": (4,),
    "hook_mlp_out": (4, 9),
    "hook_resid_post": (9,),
    "logits": (10, 11),
    "tokens": (12,),
}


class OwnGraphs:
    """The graphs of the assembled model; it is a `passes.GraphSource`."""

    def __init__(self, config: Any) -> None:
        """Take the reader's own configuration."""
        self._config = config

    def __call__(self, kind: str, weights: Mapping[str, Array]) -> "OwnGraph":
        """One graph with its weights."""
        if kind == "lens":
            weights = {name: weights[name] for name in weights if name.startswith(("ln_f.", "lm_head."))}
        return OwnGraph(kind, self._config, weights)


class OwnGraph:
    """One graph with its weights, traced for every length at once; if the reader's code needs numbers, for each one."""

    def __init__(self, kind: str, config: Any, weights: Mapping[str, Array]) -> None:
        """Nothing is traced before it is called."""
        self.kind, self._config, self._weights = kind, config, weights
        self.fingerprint, self._is_by_length = "", False  # the first is that of the graph for every length
        self._any_length = cache(self._trace_any_length)
        self._by_length: dict[tuple[tuple[int, ...], ...], tuple[Interpreter, dict[str, Array]]] = {}

    def __call__(self, *inputs: Array | Buffer) -> dict[str, Buffer]:
        """Run it operation by operation."""
        given = [one if isinstance(one, np.ndarray) else one.to_numpy() for one in inputs]
        if not self._is_by_length:
            try:
                return self._run(*self._any_length(), given)
            except Exception:  # code that asks for a length gets none; whatever is wrong comes up again below
                self._is_by_length = True
        shapes = tuple(one.shape for one in given)
        if shapes not in self._by_length:
            self._by_length = {shapes: self._trace(of_shapes(self.kind, self._config, given))}  # the newest alone
        return self._run(*self._by_length[shapes], given)

    def trace(self) -> None:
        """Trace it for every length, if that can be done; what is wrong comes up when it is called."""
        with suppress(Exception):
            self._any_length()

    def _trace_any_length(self) -> tuple[Interpreter, dict[str, Array]]:
        return self._trace(graphs.input_types(self.kind, self._config, CPU()))

    def _trace(self, kinds: Sequence[Any]) -> tuple[Interpreter, dict[str, Array]]:
        """Trace the reader's model.

        Raises:
            GPT2Error: if a hook point is missing in it.
        """
        make: Callable[[], Any] = partial(graphs.GRAPHS[self.kind], self._config)  # type: ignore[misc]
        try:
            staged, known = traced(make, kinds, self._weights, self.kind)
        except KeyError as error:
            if error.args[0] not in hook_axes(self._config.n_layer):
                raise
            raise missing_hook(error.args[0]) from error
        made = list(staged.out_tree.leaf_paths)
        for name in output_names(self.kind, self._config.n_layer):
            if name not in made:
                raise missing_hook(name)
        self.fingerprint = compiled.hash_of(staged)  # before it is lowered
        return Interpreter(staged.graph), known

    def _run(self, interpreter: Interpreter, known: Mapping[str, Array], given: Sequence[Array]) -> dict[str, Buffer]:
        outputs = interpreter.run(given, known)
        names = output_names(self.kind, self._config.n_layer)
        return {name: as_buffer(output) for name, output in zip(names, outputs, strict=True)}


def missing_hook(name: str) -> GPT2Error:
    """What is told of a hook point that the reader's files have lost."""
    numbers = MAKERS[name.rpartition(".")[2]]
    files = " or ".join(lesson_of(number).file_name for number in numbers)
    return GPT2Error(f"The hook point {name} is missing; put it back as the skeleton has it, in {files}.")


def of_shapes(kind: str, config: Any, inputs: Sequence[Array]) -> tuple[Any, ...]:
    """The types of a graph's inputs for just these arrays, in the structure that the graph takes them in."""
    flat = iter(types_of(inputs))

    def filled(part: Any) -> Any:
        if isinstance(part, list):
            return [filled(one) for one in part]
        if isinstance(part, tuple):
            parts = [filled(one) for one in part]
            return type(part)(*parts) if hasattr(part, "_fields") else tuple(parts)
        return next(flat)

    return tuple(filled(part) for part in graphs.input_types(kind, config, CPU()))


class Assembled(Engine):
    """The reader's model as an engine, in the process in which their code runs."""

    def __init__(self, checkpoint: Checkpoint, names: Mapping[int, Mapping[str, Any]]) -> None:
        """Take the names that the reader's files define, by lesson.

        Raises:
            GPT2Error: if their configuration is another than the project's.
        """
        values = json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))
        config = defined(names[1], "GPT2Config").from_hugging_face(values)
        for field in fields(GPT2Config):
            own, right = getattr(config, field.name), getattr(checkpoint.config, field.name)
            if own != right:
                raise differs(f"{field.name} of the configuration", f"{own!r} instead of {right!r}", (1,))
        self._names = names[12]
        super().__init__(checkpoint, "cpu", OwnGraphs(config))

    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each graph, traced now; empty for one that cannot be traced for every length."""
        found = {}
        for kind in GRAPH_KINDS:
            graph = self.graph(kind)
            assert isinstance(graph, OwnGraph)
            graph.trace()
            found[kind] = graph.fingerprint
        return found

    def draw(self, logits: Array, sampling: Sampling, position: int) -> Draw:
        """Draw with the reader's code."""
        settings = defined(self._names, "Sampling")(**asdict(sampling))
        token = int(defined(self._names, "draw")(logits, settings, position).token)
        return Draw(token, sampling.uniform(position), sampling)


def assembled(folder: Path, checkpoint: Checkpoint) -> tuple[Assembled, list[str]]:
    """The reader's model, compared with the project's once, and the kinds of graph that are the very same.

    If not all are, the two are compared number by number: every hook, the logits, and the tokens drawn.

    Raises:
        GPT2Error: if a file cannot be run, or the model computes something else; one sentence that names the file.
    """
    from gpt2.interpreter.graph import source

    config = checkpoint.config
    right = rehearsed(Engine(checkpoint, "cpu", source(config) if compiled.missing(config) else None))
    known = {kind: compiled.GraphKey.of(kind, config).fingerprint for kind in GRAPH_KINDS}
    names: dict[int, Mapping[str, Any]] = {}
    try:
        for lesson in LESSONS:
            path = folder / lesson.file_name
            names[lesson.number] = define(path.read_text(encoding="utf-8-sig"), str(path))
            if lesson.number < 12:  # the engine draws with that one itself
                put_in_place(lesson, defined(names[lesson.number], lesson.defines))
        engine = Assembled(checkpoint, names)
        own = engine.fingerprints()
        same = [kind for kind in GRAPH_KINDS if own[kind] == known[kind]]
        found = {"tokens": tokens_of(engine, right["logits"])} if len(same) == len(known) else rehearsed(engine)
    except GPT2Error:
        raise
    except BaseException as error:  # whatever a reader's code raises
        raise GPT2Error(in_words(error, folder)) from error
    for name, own_array in found.items():
        array = right[name]
        off = np.abs(difference(own_array, array)).max() if own_array.shape == array.shape else np.inf
        if not off <= TOLERANCE * max(1e-9, scale_of(array)):
            raise differs(name, f"by up to {off:.3g}", MAKERS[name.rpartition(".")[2]])
    return engine, same


def put_in_place(lesson: Lesson, own: Any) -> None:
    """Put what a reader's file defines wherever the project's own stands in the model."""
    project = getattr(import_module(f"gpt2.model.{lesson.component}"), lesson.defines)
    for module in [module for name, module in sys.modules.items() if name.startswith("gpt2.model.")]:
        for name, value in list(vars(module).items()):
            if value is project:
                setattr(module, name, own)


def rehearsed(engine: Engine) -> dict[str, Array]:
    """What a model makes of a prompt and two tokens more, hook by hook in the order of the forward pass."""
    run, hooks = engine.start(IDS), hook_axes(engine.config.n_layer)
    for sampling in SETTINGS:
        run.advance(sampling)
    trace, prompt = run.trace, run.trace.cut(1)
    found = {name: prompt[name] for name in hooks} | {"logits": prompt.steps[0].captures["logits"]}
    found["tokens"] = tokens_of(engine, found["logits"])
    found |= {f"decode.{name}": trace[name] for name in hooks}
    found["decode.logits"] = trace.steps[1].captures["logits"]
    stream = prompt["blocks.1.hook_resid_pre"]
    layer = engine.layer(1, stream, prompt.layer_inputs(1).after_resid_pre())
    found |= {f"layer.{name}": layer[name] for name in ("attn.hook_pattern", "hook_resid_post")}
    return found | {"lens.logits": engine.lens(stream)}


def tokens_of(engine: Engine, logits: Array) -> Array:
    """Tokens that are drawn with several settings at several positions. Shapes: logits [1, vocab]."""
    drawn = [engine.draw(logits[0], sampling, position) for position in range(8) for sampling in SETTINGS]
    return np.array([draw.token for draw in drawn])


def differs(what: str, how: str, numbers: Sequence[int]) -> GPT2Error:
    """What is told of a model that computes something else."""
    lessons = f"lesson{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"
    return GPT2Error(
        f"Your GPT-2 first differs from the project's at {what}, {how}: look at {lessons} again, "
        f"with python -m gpt2 learn check {numbers[0]}."
    )


def in_words(error: BaseException, folder: Path) -> str:
    """What is told of an error: the reader's own file and line where it arose."""
    path, trace = None, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).parent == folder:
            path = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
    if isinstance(error, WrongKind):
        return f"Your GPT-2 cannot be put together: {error}"
    told = failure(error, path or "")
    where = "" if path is None else Path(path).name + (f", line {told.line}" if told.line else "") + ": "
    return f"{where}the code {told.says}" if told.kind == IN_WORDS else f"{where}{told.kind}: {told.says}"


def innermost(frame: types.FrameType | None, folder: Path) -> str:
    """Where in the reader's files a thread is now: a file and its line; empty if it is in none."""
    while frame is not None and Path(frame.f_code.co_filename).parent != folder:
        frame = frame.f_back
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}: "
