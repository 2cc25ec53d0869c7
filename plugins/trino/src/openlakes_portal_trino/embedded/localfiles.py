"""Files of this machine for pyiceberg, so that to look at metadata takes no Arrow: the portal at rest carries none.

Named by `py-io-impl`, https://py.iceberg.apache.org/configuration/#fileio. It only reads.
"""

import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pyiceberg.io import PY_IO_IMPL, FileIO, InputFile, InputStream, OutputFile, load_file_io

from openlakes_portal_trino.embedded.catalogs import is_local


class LocalFile(InputFile):
    """One file."""

    @property
    def path(self) -> Path:
        """Where it is."""
        parts = urlsplit(self.location)
        return Path(unquote(parts.path) if parts.scheme else self.location)

    def __len__(self) -> int:
        """Its bytes."""
        return self.path.stat().st_size

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.is_file()

    def open(self, seekable: bool = True) -> InputStream:
        """For reading. Raises `FileNotFoundError`, `PermissionError`."""
        stream: Any = self.path.open("rb")
        return stream  # type: ignore[no-any-return]


class LocalFiles(FileIO):
    """Reads files of this machine; of another place, by what pyiceberg has for it."""

    def new_input(self, location: str) -> InputFile:
        """A file to read."""
        if is_local(location):
            return LocalFile(location)
        others = {name: value for name, value in self.properties.items() if name != PY_IO_IMPL}
        return load_file_io(others, location).new_input(location)

    def new_output(self, location: str) -> OutputFile:
        """Nothing is written."""
        raise io.UnsupportedOperation("this only reads")

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Nothing is deleted."""
        raise io.UnsupportedOperation("this only reads")
