"""Models in memory: one engine for all visitors, loaded in the background while a recorded run is on the stage."""

import gc
import threading
from typing import TYPE_CHECKING

import streamlit as st

import gpt2
from gpt2.errors import GPT2Error
from gpt2.hub import model_folder
from gpt2.tables import Tables
from gpt2.trace import Trace
from gpt2.weights import Checkpoint, load_checkpoint

if TYPE_CHECKING:
    from gpt2.engine import Engine

MAX_MODELS = 2


class ModelJob:
    """A model being loaded. The checkpoint is there at once; the engine follows, or an error says why not."""

    def __init__(self, model: str) -> None:
        """Read the checkpoint and start loading the engine in a thread.

        Raises:
            CheckpointError: if there is no such model.
        """
        self.checkpoint: Checkpoint = load_checkpoint(model_folder(model), model)
        self.tables = Tables(self.checkpoint.weights["wte.weight"], self.checkpoint.weights["wpe.weight"])
        self.engine: Engine | None = None
        self.message, self.error = "Loading the model.", ""
        threading.Thread(target=self._load, name=f"load {model}", daemon=True).start()

    def _load(self) -> None:
        try:
            self.engine = gpt2.bind(self.checkpoint, self._tell)
            # What is loaded now stays: keep the collector from walking it after every rerun.
            gc.collect()
            gc.freeze()
            self.message = ""
        except GPT2Error as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"The model could not be loaded ({type(error).__name__}: {error}); press Run to try again."

    def _tell(self, sentence: str) -> None:
        self.message = sentence

    def has_made(self, trace: Trace) -> bool:
        """Whether this trace came from these very weights: the sizes agree, and its tokens' embeddings do.

        A model chosen for the next run, and a file from elsewhere, may have the same sizes and other weights.
        """
        if trace.config != self.checkpoint.config:
            return False
        return not trace.steps or self.tables.hold(trace.prompt_ids, trace.steps[0].captures["hook_embed"])

    @property
    def is_loading(self) -> bool:
        """Whether the engine is still on its way."""
        return self.engine is None and not self.error


@st.cache_resource(max_entries=MAX_MODELS, show_spinner=False)
def model_job(model: str) -> ModelJob:
    """The one job of this model for all visitors; it returns once the checkpoint is read, before the engine is ready.

    Raises:
        CheckpointError: if there is no such model.
    """
    return ModelJob(model)
