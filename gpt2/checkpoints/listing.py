"""The models that a user can choose, each with its sizes and location; read from the disk alone."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config

from .catalog import KNOWN, MINE, in_words, memory_needed
from .hub import Place, locate


@dataclass(frozen=True)
class Listed:
    """One model, described before it is loaded.

    Attributes: `config` is None if this machine has no config of the model.
    """

    place: Place
    label: str
    config: GPT2Config | None

    @property
    def state(self) -> str:
        """Its state in words, such as downloaded, to download 548 MB, or 212 of 548 MB downloaded."""
        here, total = self.place.here_bytes, self.place.total_bytes
        match self.place.state:
            case "to download":
                return f"to download {in_words(total)}" if total else "to download"
            case "partly downloaded":
                return f"{in_words(here)} of {in_words(total)} downloaded" if total else f"{in_words(here)} downloaded"
        return self.place.state

    @property
    def memory(self) -> str:
        """The memory of the program with this model loaded, in words; empty if its config is unknown."""
        return "" if self.config is None else f"{memory_needed(self.config) / 1e9:.1f} GB memory"

    def to_dict(self) -> dict[str, Any]:
        """The object that `python -m gpt2 models --json` prints; sizes in bytes, None if unknown."""
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
    """Describe one model; `folders` has the meaning it has in `hub.locate`.

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
    own = {"bundled": "Bundled storyteller", MINE: "Mine"}
    return Listed(place, own.get(name, label), config)


def table(rows: list[Listed]) -> str:
    """Format the models as text in columns."""
    head = ("name", "parameters", "download", "memory", "state")
    cells = [head]
    for row in rows:
        sizes = row.to_dict()
        cells.append(
            (
                row.place.name,
                f"{sizes['parameters'] / 1e6:,.1f} M" if sizes["parameters"] else "–",
                in_words(sizes["download_bytes"]) if sizes["download_bytes"] else "–",
                in_words(sizes["memory_bytes"]) if sizes["memory_bytes"] else "–",
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
