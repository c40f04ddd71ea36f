"""The zip archive of a trace file: its unpacked size is checked before anything is unpacked."""

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gpt2.errors import TraceError

# The directory of GPT-2 XL's 700 arrays has 60 kB; Python makes an object of half a kB of each of its entries.
DIRECTORY_BYTES = 1_000_000
# How an archive ends (APPNOTE.TXT, 4.3.15 and 4.3.16): a locator that only large archives have, and the end record.
LOCATOR, LOCATOR_BYTES = b"PK\x06\x07", 20
END, END_BYTES = b"PK\x05\x06", 22
NOT_WHOLE = "This file is not a whole trace; save it again."


class Archive(Mapping[str, NDArray[Any]]):
    """The arrays of an `.npz` file by name, each unpacked when it is read, and not kept."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        """Read only the directory.

        Raises:
            TraceError: if it is not one that `numpy.savez` or `save_trace_data` writes, or lists more than `max_bytes`.
        """
        check_directory(file)
        self._zip = zipfile.ZipFile(file)
        self._members = {entry.filename.removesuffix(".npy"): entry for entry in self._zip.infolist()}
        entries = self._zip.infolist()
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
            raise TraceError(NOT_WHOLE)  # the others allocate as much memory as the file asks for
        if (unpacked := sum(entry.file_size for entry in entries)) > max_bytes:
            raise TraceError(
                f"This file unpacks to {unpacked / 1e6:,.0f} MB, more than the {max_bytes / 1e6:,.0f} MB "
                "that can be opened here."
            )

    @property
    def nbytes(self) -> int:
        """Bytes that all arrays take once they are unpacked."""
        return sum(entry.file_size for entry in self._members.values())

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Unpack one array; a pickle is refused."""
        with self._zip.open(self._members[name]) as member:
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):  # reading to the end also compares the checksum
                raise TraceError(NOT_WHOLE)
        return array

    def text(self, name: str, most: int) -> bytes:
        """The bytes of one array.

        Raises:
            TraceError: if it has more than `most`.
        """
        if self._members[name].file_size > most:
            raise TraceError(f"The {name} of this file has more than {most / 1e6:g} MB, which no trace needs.")
        return self[name].tobytes()

    def __contains__(self, name: object) -> bool:
        """Whether the file has such an array; it is not unpacked."""
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._members)

    def __len__(self) -> int:
        """Number of arrays."""
        return len(self._members)


def check_directory(file: BinaryIO) -> None:
    """Refuse an archive that does not end as `save_trace_data` ends one, or whose directory is far too large.

    Raises:
        TraceError: if so.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - LOCATOR_BYTES - END_BYTES))
    tail = file.read(LOCATOR_BYTES + END_BYTES)
    end = tail[-END_BYTES:]
    has_comment = end[-2:] != bytes(2)
    if len(end) < END_BYTES or not end.startswith(END) or has_comment or tail[:-END_BYTES].startswith(LOCATOR):
        raise TraceError(NOT_WHOLE)
    if int.from_bytes(end[12:16], "little") > DIRECTORY_BYTES:
        raise TraceError("This file has far more parts than any trace.")
    file.seek(0)
