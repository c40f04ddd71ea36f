"""The errors a person can meet: each message is one sentence that says what to do."""


class GPT2Error(ValueError):
    """Base of all errors that the caller can fix; the command line exits with status 2."""


class CheckpointError(GPT2Error):
    """A folder or file that is not a GPT-2 checkpoint this program can run."""


class PromptError(GPT2Error):
    """A prompt that cannot be run: empty, too long, or not text."""


class SettingsError(GPT2Error):
    """Sampling settings outside their range."""


class TraceError(GPT2Error):
    """A trace that lacks the requested data, or a file that is not a trace."""


class EngineError(GPT2Error):
    """The model cannot run on this machine: MAX is missing, or a graph could not be compiled."""


def reason(error: Exception) -> str:
    """The sentence that says why a command ended."""
    match error:
        case GPT2Error():
            return str(error)
        case ImportError():
            return f"{error}; install it with pip install -r requirements.txt"
        case MemoryError():
            return "There is not enough memory; close other programs, or choose a smaller model."
        case OSError() if error.filename is not None:
            return f"{error.filename} cannot be used: {error.strerror}."
    return f"The system refuses: {error}."
