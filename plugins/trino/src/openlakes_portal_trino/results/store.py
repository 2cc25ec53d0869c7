"""Where results lie: files of this replica, or an object store (object_store.py) where there is more than one.

An engine always writes a local file; what is *kept* may lie elsewhere and is brought back to be read.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Kept:
    """A result that is kept: of which query, how many bytes, since when (seconds since the epoch)."""

    id: str
    bytes: int
    at: float


class ResultStore(Protocol):
    """Results by the id of their query. Blocking: call it in worker threads."""

    def place(self, id: str) -> Path:
        """The local file that an engine is to write."""

    def keep(self, id: str) -> None:
        """The file is complete: put it where it stays. Raises `PortalError` where that cannot be done."""

    def find(self, id: str) -> Path | None:
        """The result as a local file, or None where it is gone. Raises `PortalError` where that cannot be said."""

    def holds(self, id: str) -> bool:
        """Whether there is a result to be found."""

    def discard(self, id: str) -> None:
        """Forget the file of a query that has no result; one that is not there is no error."""

    def check(self) -> None:
        """Raises `PortalError` where results can be neither kept nor found now."""

    def expire(self, keep_seconds: float, keep_bytes: int, in_use: frozenset[str]) -> None:
        """Remove results that are too old, and the oldest where all are too large; those in use stay."""


class FileResultStore:
    """Files of one folder of this replica."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, id: str) -> Path:
        """`<folder>/<id>.arrow`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder / f"{id}.arrow"

    def keep(self, id: str) -> None:
        """It is where it stays already."""

    def find(self, id: str) -> Path | None:
        """The file, where it is."""
        path = self._folder / f"{id}.arrow"
        return path if path.is_file() else None

    def holds(self, id: str) -> bool:
        """Whether the file is there."""
        return self.find(id) is not None

    def discard(self, id: str) -> None:
        """Delete the file. Whoever reads it now reads on to its end."""
        (self._folder / f"{id}.arrow").unlink(missing_ok=True)

    def check(self) -> None:
        """There is nothing to be said of a folder of one's own."""

    def expire(self, keep_seconds: float, keep_bytes: int, in_use: frozenset[str]) -> None:
        """Delete old and too many files."""
        for id in expired(self.kept(), keep_seconds, keep_bytes, in_use):
            self.discard(id)

    def kept(self) -> list[Kept]:
        """All files."""
        found: list[Kept] = []
        for path in self._folder.glob("*.arrow"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found.append(Kept(path.stem, status.st_size, status.st_mtime))
        return found


def expired(kept: list[Kept], keep_seconds: float, keep_bytes: int, in_use: frozenset[str]) -> list[str]:
    """Results to be removed: the old ones, then the oldest until the rest fits. Those in use stay."""
    oldest_first = sorted((result for result in kept if result.id not in in_use), key=lambda result: result.at)
    limit = time.time() - keep_seconds
    size = sum(result.bytes for result in kept)
    gone: list[str] = []
    for result in oldest_first:
        if result.at >= limit and size <= keep_bytes:
            break
        size -= result.bytes
        gone.append(result.id)
    return gone
