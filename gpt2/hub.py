"""From a model's name to a folder on disk: the bundled model, a local folder, or a Hugging Face repository.

Only configuration, tokenizer and safetensors files are ever downloaded.
"""

from contextlib import suppress
from pathlib import Path

from .errors import CheckpointError

BUNDLED = Path(__file__).parent / "bundled"
FILES = ["config.json", "tokenizer.json", "vocab.json", "merges.txt", "*.safetensors", "*.safetensors.index.json"]


def model_folder(model: str) -> Path:
    """The folder of a model: `bundled`, a path, or an id such as `openai-community/gpt2`.

    Raises:
        CheckpointError: if there is no such model, or it cannot be reached.
    """
    if model == "bundled":
        return BUNDLED
    try:
        path = Path(model).expanduser()
        found = bool(model) and path.exists()
    except (OSError, RuntimeError):  # a name too long for any file, or the home of nobody
        found = False
    if found:
        if not path.is_dir():
            raise CheckpointError(f"{model} is a file; give the folder that holds config.json and model.safetensors.")
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=FILES))
    except (RepositoryNotFoundError, HFValidationError):
        raise CheckpointError(
            f"There is no model {model[:100]!r}: give bundled, a folder, or a Hugging Face id such as "
            "openai-community/gpt2."
        ) from None
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{model} cannot be downloaded ({reason[:200]}); check the network.") from None


def local_folder(model: str) -> Path | None:
    """The folder of a model whose weights are on this machine, or None; the network is not asked."""
    if model == "bundled":
        return BUNDLED
    with suppress(OSError, RuntimeError):  # a name too long for any file, or the home of nobody
        if model and (path := Path(model).expanduser()).is_dir():
            return path
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(model, allow_patterns=FILES, local_files_only=True))
    except (OSError, ValueError):  # not downloaded, or no name that a repository can have
        return None
    return folder if any(folder.glob("*.safetensors")) else None
