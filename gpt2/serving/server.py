"""The process that serves: MAX Serve's own API, queue and worker, started in Python, with this room's layer around.

It says on standard output, as JSON, when it is ready. Once nobody holds its standard input it ends, and its worker too.
"""

from gpt2.engine import devices, settings

if __name__ in ("__main__", "__mp_main__"):  # here and in the worker: MAX starts its threads as it is imported below
    devices.start_threads(settings.count("GPT2_THREADS", 1))

import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from max.driver import DeviceSpec
from max.pipelines import PIPELINE_REGISTRY
from max.pipelines.context import GenerationStatus
from max.pipelines.lib import PipelineArgs, PipelineConfig
from max.pipelines.modeling.types import PipelineTask
from max.serve.api_server import ServingTokenGeneratorSettings, fastapi_app, fastapi_config, lifespan
from max.serve.config import APIType, MetricRecordingMethod, Settings
from max.serve.pipelines.llm import TokenGeneratorPipeline
from max.serve.telemetry.common import configure_logging

import gpt2
from gpt2.checkpoints.child import listen
from gpt2.checkpoints.weights import weight_files
from gpt2.model.config import GPT2Config

from .answers import until_stop
from .front import Front
from .requests import HOST, MAX_BATCH_SIZE, MOST_BYTES, Offer

END_SECONDS = 12


def arguments(model: Path, **more: Any) -> PipelineArgs:
    """What `max serve` would be told of a checkpoint's folder.

    The weights are named, as MAX would refuse those that are stored as float16: they are widened as they are loaded.
    """
    return PipelineArgs.from_flat_kwargs(
        model_path=str(model),
        custom_architectures=[str(Path(gpt2.__file__).parent)],
        weight_path=weight_files(model),
        device_specs=[DeviceSpec.cpu()],
        max_batch_size=MAX_BATCH_SIZE,  # MAX's own is 1 on a CPU: requests would wait for each other
        task=PipelineTask.TEXT_GENERATION,
        **more,
    )


def pipeline(model: Path, **more: Any) -> Any:
    """What the worker runs, made in this process."""
    return _found(PipelineConfig.from_args(arguments(model, **more))).factory()


def _found(config: PipelineConfig) -> Any:
    return PIPELINE_REGISTRY.retrieve_factory(config, task=PipelineTask.TEXT_GENERATION)


class Answers(TokenGeneratorPipeline):
    """MAX Serve's answers, each ending before its stop sequence."""

    async def next_token_chunk(self, request: Any, *, parse_reasoning: bool = True) -> AsyncIterator[Any]:
        """The pieces of one answer."""
        chunks = await super().next_token_chunk(request, parse_reasoning=parse_reasoning)
        if not request.sampling_params.stop:
            return chunks
        cancel = partial(self.model_worker.cancel, request.request_id)
        return until_stop(chunks, request.sampling_params.stop, GenerationStatus.END_OF_SEQUENCE, cancel)


class Web(uvicorn.Server):
    """The HTTP server; it tells its parent when it takes requests."""

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            print(json.dumps({"ready": True}), flush=True)


def serve(model: Path, name: str, port: int, graphs: Path) -> None:
    """Serve until a signal ends it: MAX Serve's API here, the model in a worker process that it starts."""
    api = Settings(
        MAX_SERVE_HOST=HOST,
        MAX_SERVE_PORT=port,
        MAX_SERVE_API_TYPES=[APIType.OPENAI],
        MAX_SERVE_DISABLE_TELEMETRY=True,
        MAX_SERVE_METRIC_RECORDING_METHOD=MetricRecordingMethod.NOOP,
        MAX_SERVE_LOGS_CONSOLE_LEVEL="ERROR",
        MAX_SERVE_MAX_REQUEST_BYTES=MOST_BYTES,
    )
    configure_logging(api)
    config = PipelineConfig.from_args(arguments(model, served_model_name=name, precompiled_mefs=str(graphs)))
    found, sizes = _found(config), GPT2Config.from_file(model / "config.json")
    serving = ServingTokenGeneratorSettings(
        model_factory=found.factory,
        pipeline_config=config,
        tokenizer=found.tokenizer,
        task=PipelineTask.TEXT_GENERATION,
        memory_plan=found.memory_plan,
    )
    app = fastapi_app(api, serving)
    app.add_middleware(Front, offer=Offer(name, sizes))
    web = Web(fastapi_config(app, api))

    async def run() -> None:
        async with lifespan(app, api, serving, app.state.zmq_endpoint_base):
            plain = app.state.pipeline
            app.state.pipeline = Answers(plain.model_name, plain.tokenizer, plain.model_worker)
            await web.serve()

    signal.signal(signal.SIGTERM, _unwind)
    uvloop.run(run())


def _unwind(number: int, _frame: Any) -> None:
    """End by an exception, so that the worker is ended on the way out."""
    raise SystemExit(128 + number)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)


if __name__ == "__main__":
    listen(ended=_stop)
    model, name, port, graphs = json.loads(sys.argv[1])
    serve(Path(model), name, port, Path(graphs))
