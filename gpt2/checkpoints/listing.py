"""The models that can be chosen, each with its sizes and where it is; read from the disk alone."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config

from .catalog import KNOWN, in_words, memory_needed
from .hub import Place, locate


@dataclass(frozen=True)
class Listed:
    """One model and what is known of it before it is loaded.

    Attributes: `config` is None where nothing of the model has been seen on this machine.
    """

    place: Place
    label: str
    config: GPT2Config | None

    @property
    def state(self) -> str:
        """Where it is, in words: downloaded, to download 548 MB, 212 of 548 MB downloaded."""
        here, total = self.place.here_bytes, self.place.total_bytes
        match self.place.state:
            case "to download":
                return f"to download {in_words(total)}" if total else "to download"
            case "partly downloaded":
                return f"{in_words(here)} of {in_words(total)} downloaded" if total else f"{in_words(here)} downloaded"
        return self.place.state

    @property
    def memory(self) -> str:
        """The memory that the program takes with it, in words; empty where its sizes are not known."""
        return "" if self.config is None else f"{memory_needed(self.config) / 1e9:.1f} GB memory"

    def to_dict(self) -> dict[str, Any]:
        """As `python -m gpt2 models --json` prints it; sizes in bytes, None where they are not known."""
        place, config = self.place, self.config
        return {
            "name": place.name,
            "label": self.label,
            "parameters": config.n_params if config else None,
            "download_bytes": place.total_bytes if place.repo else 0,
            "here_bytes": place.here_bytes,
            "memory_bytes": memory_needed(config) if config else None,
            "state": place.state,
            "folder": str(place.folder) if place.folder else None,
        }


def listed(name: str, folders: bool = True) -> Listed:
    """What is known of one model; `folders` as `hub.locate` has it.

    Raises:
        CheckpointError: if no model can have this name.
    """
    place = locate(name, folders)
    known = KNOWN.get(name) or next((known for known in KNOWN.values() if known.repo == place.repo), None)
    config = known.config if known else None
    if place.folder is not None:
        with suppress(CheckpointError):
            config = GPT2Config.from_file(place.folder / "config.json")
    label = known.label if known else name.rstrip("/").rpartition("/")[2] or name
    if known and "@" in name:
        label += f" @{place.revision}"
    return Listed(place, "Bundled storyteller" if name == "bundled" else label, config)


def table(rows: list[Listed]) -> str:
    """The models as text in columns."""
    head = ("name", "parameters", "download", "memory", "state")
    cells = [head]
    for row in rows:
        told = row.to_dict()
        cells.append(
            (
                row.place.name,
                f"{told['parameters'] / 1e6:,.1f} M" if told["parameters"] else "–",
                in_words(told["download_bytes"]) if told["download_bytes"] else "–",
                in_words(told["memory_bytes"]) if told["memory_bytes"] else "–",
                row.state,
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )
