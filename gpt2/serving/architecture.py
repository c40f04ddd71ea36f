"""GPT-2 as MAX Serve asks for a model: its sizes and weights, the inputs of a batch, and the graph to run.

`python -m gpt2 serve` uses it, and so does `max serve --custom-architectures gpt2` from the project's folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from max import tree
from max.driver import CPU, Buffer
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import default_device, default_dtype
from max.graph import DeviceRef, TensorType
from max.graph.weights import WeightsFormat
from max.nn.kv_cache import KVCacheParams
from max.pipelines.context import TextContext
from max.pipelines.context.exceptions import InputError
from max.pipelines.kv_cache.config import KVCacheConfig
from max.pipelines.kv_cache.memory_planner import PagedMemoryPlanner
from max.pipelines.lib import ModelInputs, ModuleV3PipelineModelWithKVCache, SupportedArchitecture, TextTokenizer
from max.pipelines.lib.interfaces.arch_config import ArchConfigWithKVCache, ArchConfigWithStoredKVParams
from max.pipelines.lib.interfaces.batch_processor import BatchProcessor, build_single_replica_ragged_token_arrays
from max.pipelines.lib.log_probabilities import LogProbabilitiesMixin
from max.pipelines.modeling.types import PipelineTask

from gpt2.checkpoints.weights import load_weights
from gpt2.engine.awake import first_call, watch_over
from gpt2.engine.devices import nudge
from gpt2.model.config import ARCHITECTURES as NAMES
from gpt2.model.config import GPT2Config

from .served import Served


@dataclass(kw_only=True)
class ServedConfig(ArchConfigWithStoredKVParams, ArchConfigWithKVCache):
    """The model's sizes, and how its cache is laid out in pages."""

    DEFAULT_ENCODING: ClassVar[str] = "float32"
    SUPPORTED_ENCODINGS: ClassVar[set[str]] = {"float32"}

    gpt2: GPT2Config
    kv_params: KVCacheParams
    max_seq_len: int
    devices: list[DeviceRef]
    dtype: DType = DType.float32

    @classmethod
    def construct_kv_params(
        cls, huggingface_config: Any, pipeline_config: Any, devices: Any, kv_cache_config: Any, cache_dtype: DType
    ) -> KVCacheParams:
        """The layout of the pages, in float32 whatever the checkpoint's weights are stored as."""
        return page_params(GPT2Config.from_hugging_face(huggingface_config.to_dict()), kv_cache_config, devices)

    @classmethod
    def initialize(cls, pipeline_config: Any, model_config: Any = None, *, max_seq_len: int) -> "ServedConfig":
        """Read the sizes from the checkpoint's config."""
        model = model_config or pipeline_config.model
        config = GPT2Config.from_hugging_face(model.huggingface_config.to_dict())
        devices = [DeviceRef(at.device_type, at.id) for at in model.device_specs]
        pages = page_params(config, model.kv_cache, devices)
        return cls(gpt2=config, kv_params=pages, max_seq_len=max_seq_len, devices=devices)


def page_params(config: GPT2Config, kv_cache_config: KVCacheConfig, devices: list[DeviceRef]) -> KVCacheParams:
    """The layout of the pages: in GPT-2 every head has keys and values of its own."""
    return kv_cache_config.to_params(
        dtype=DType.float32,
        n_kv_heads=config.n_head,
        head_dim=config.d_head,
        num_layers=config.n_layer,
        devices=devices,
        data_parallel_degree=1,
    )


@dataclass
class BatchInputs(ModelInputs):
    """The new tokens of a batch as the graph takes them.

    Shapes: tokens, positions [seq], the requests one behind the other; input_row_offsets [request + 1].
    """

    tokens: Buffer
    positions: Buffer
    input_row_offsets: Buffer

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The graph's inputs in their order; the pages come last."""
        return self.tokens, self.positions, self.input_row_offsets, *tree.leaves(self.kv_cache_inputs)


def input_types(kv_params: KVCacheParams, device: DeviceRef) -> list[Any]:
    """The types of the graph's inputs: any number of new tokens, of any number of requests, and the pages."""
    whole, offsets = TensorType(DType.int64, ["seq"], device), TensorType(DType.uint32, ["offsets"], device)
    return [whole, whole, offsets, *tree.leaves(kv_params.get_symbolic_inputs())]


class Batches(BatchProcessor[TextContext, BatchInputs]):
    """From requests to inputs: a whole prompt of one that is new, one token of one that is under way."""

    def get_symbolic_inputs(self, *, kv_params: KVCacheParams, device_refs: Any) -> list[Any]:
        """The types of the graph's inputs."""
        return input_types(kv_params, device_refs[0])

    def prepare_initial_token_inputs(
        self, replica_batches: Any, kv_cache_inputs: Any = None, return_n_logits: int = 1
    ) -> BatchInputs:
        """Lay the new tokens of all requests in one row; a position counts from its own request's beginning."""
        (batch,) = replica_batches
        tokens, offsets = build_single_replica_ragged_token_arrays(batch)
        starts = [(request.tokens.processed_length, request.tokens.active_length) for request in batch]
        positions = np.concatenate([np.arange(start, start + length) for start, length in starts])
        tokens, positions, offsets = (
            Buffer.from_numpy(array).to(self.runtime.devices[0]) for array in (tokens, positions, offsets)
        )
        return BatchInputs(tokens, positions, offsets, kv_cache_inputs=kv_cache_inputs)

    def process_outputs(self, outputs: Any) -> Any:
        """Nothing to do: the model's outputs are what MAX Serve draws from."""
        return outputs


def served(config: GPT2Config, kv_params: KVCacheParams) -> Served:
    """The model's graph, still without weights, on the CPU and in float32 whatever else the machine has."""
    with F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        return Served(config, kv_params)


def traced(config: GPT2Config) -> str:
    """The text of the graph that is compiled for a model of these sizes."""
    pages = page_params(config, KVCacheConfig(), [DeviceRef.CPU()])
    with F.lazy(), default_device(CPU()), default_dtype(DType.float32):
        return str(Served(config, pages).trace(*input_types(pages, DeviceRef.CPU())))


class ServedModel(LogProbabilitiesMixin, ModuleV3PipelineModelWithKVCache[TextContext]):
    """The graph with this project's weights, in MAX Serve's worker."""

    model_config_cls: ClassVar[type[Any]] = ServedConfig
    # On the class: what the architecture below says of it does not reach the worker's process.
    batch_processor_cls: ClassVar[type[Batches]] = Batches

    def __init__(self, pipeline_config: Any, session: Any, *args: Any, **more: Any) -> None:
        """Keep the session, which finds graphs that were compiled before."""
        self._session = session
        super().__init__(pipeline_config, session, *args, **more)

    def load_model(self) -> Any:
        """The graph, compiled or found, with the checkpoint's weights."""
        config = self.arch_config
        module = served(config.gpt2, self.kv_params)
        types = input_types(self.kv_params, self.device_refs[0])
        folder = Path(self.pipeline_config.model.resolved_weight_paths()[0]).parent
        watch_over(lambda: True, nudge)  # MAX Serve makes the calls, so nobody counts them
        return module.compile(*types, weights=load_weights(folder, config.gpt2), session=self._session)

    def execute(self, model_inputs: ModelInputs) -> Any:
        """Run the graph on a batch."""
        with first_call():
            return super().execute(model_inputs)


def refuse_echo(context: Any) -> None:
    """Refuse what would end MAX Serve 26.7: log probabilities of an echoed prompt raise in its worker.

    Raises:
        InputError: if the prompt is to be echoed.
    """
    if getattr(context, "log_probabilities_echo", False):
        raise InputError("echo is not supported: put the prompt before the answer yourself.")


ARCHITECTURES = [
    SupportedArchitecture(
        name=name,
        example_repo_ids=["openai-community/gpt2"],
        default_encoding=ServedConfig.DEFAULT_ENCODING,
        supported_encodings=ServedConfig.SUPPORTED_ENCODINGS,
        pipeline_model=ServedModel,
        tokenizer=TextTokenizer,
        context_type=TextContext,
        default_weights_format=WeightsFormat.safetensors,
        multi_gpu_supported=False,
        task=PipelineTask.TEXT_GENERATION,
        config=ServedConfig,
        batching=Batches,
        memory_planner=PagedMemoryPlanner,
        context_validators=[refuse_echo],
        supports_overlap_scheduler=False,
        supports_device_graph_capture=False,
    )
    for name in NAMES
]
