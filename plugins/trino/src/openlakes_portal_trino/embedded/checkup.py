"""Are the tables' files there, and what they must be? Blocking: call it in a worker thread.

A round looks at every catalog, and at tables in turn for as long as `BUDGET` seconds allow: each again after `EVERY`
seconds, those in which something was wrong in every round. Of a table it reads the metadata, the manifests, and the
size and last bytes of up to `MOST_FILES` files of the current snapshot, others each time.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from openlakes_portal.spi import HealthReport, PortalError
from openlakes_portal_trino.embedded.metadata import CatalogAbsent, Metadata

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

EVERY = 60.0
BUDGET = 2.0
MOST_FILES = 200
PARQUET_END = b"PAR1"
"""https://parquet.apache.org/docs/file-format/"""

RESTORE = (
    "Restore the files from a backup, or have the table's owner roll it back to a snapshot whose files are there. "
    "Other tables are not affected."
)
Name = tuple[str, str, str]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a catalog or a table, in words without places of this machine."""

    state: Literal["missing", "down", "degraded"]
    cause: str
    remedy: str | None


@dataclass
class _Known:
    """What was seen of a table: when (monotonic seconds), and of which files it is known that they are broken."""

    at: float
    metadata: str
    broken: dict[str, str]
    problem: Problem | None


class Checkup:
    """Remembers from round to round."""

    def __init__(self, metadata: Metadata, clock: Callable[[], float] = time.monotonic) -> None:
        self._metadata = metadata
        self._clock = clock
        self._known: dict[Name, _Known] = {}

    def round(self) -> HealthReport:
        """Look, and report the worst first."""
        problems: list[Problem] = []
        tables: list[Name] = []
        for catalog in self._metadata.all_catalogs:
            try:
                tables += self._metadata.all_tables(catalog)
            except CatalogAbsent as error:
                problems.append(Problem("missing", error.detail, error.remedy))
            except PortalError as error:
                problems.append(Problem("down", error.detail, error.remedy))
        self._known = {name: known for name, known in self._known.items() if name in tables}
        deadline = self._clock() + BUDGET
        for name in self._due(tables):
            self._known[name] = self._examine(name, deadline)
            if self._clock() >= deadline:
                break
        problems += [known.problem for known in self._known.values() if known.problem is not None]
        return _report(problems, self._metadata.all_catalogs, len(tables))

    def _due(self, tables: list[Name]) -> list[Name]:
        def last_seen(name: Name) -> float:
            known = self._known.get(name)
            return float("-inf") if known is None or known.problem is not None else known.at

        before = self._clock() - EVERY
        return sorted((name for name in tables if last_seen(name) <= before), key=last_seen)

    def _examine(self, name: Name, deadline: float) -> _Known:
        known = self._known.get(name)
        try:
            table = self._metadata.load_anew(*name)
            broken = known.broken if known is not None and known.metadata == table.metadata_location else {}
            found = _broken(table, broken, lambda: self._clock() >= deadline)
        except Exception as error:  # pyiceberg raises what its parsers and file systems raise
            words = f"The metadata of table {'.'.join(name)} is {_fault(error)}."
            return _Known(self._clock(), "", {}, Problem("degraded", words, RESTORE))
        return _Known(self._clock(), table.metadata_location, found, _files_problem(name, found))


def _files_problem(name: Name, broken: dict[str, str]) -> Problem | None:
    if not broken:
        return None
    counted = Counter(broken.values())
    words = "; ".join(f"{count} {'file' if count == 1 else 'files'} {fault}" for fault, count in counted.items())
    return Problem("degraded", f"Table {'.'.join(name)}: {words}.", RESTORE)


def _broken(table: "Table", broken: dict[str, str], late: Callable[[], bool]) -> dict[str, str]:
    """Files of the current snapshot that cannot be read, by location; those that were broken are looked at first."""
    found: dict[str, str] = {}
    for file in islice(_files(table, broken, late), MOST_FILES):
        fault = _fault_of(table.io, file)
        if fault is not None:
            found[file.file_path] = fault
        if late():
            break
    return found


def _files(table: "Table", first: dict[str, str], late: Callable[[], bool]) -> Iterator["DataFile"]:
    snapshot = table.current_snapshot()
    manifests = snapshot.manifests(table.io) if snapshot is not None else []
    random.shuffle(manifests)
    rest: list[DataFile] = []
    for manifest in manifests:
        files = [entry.data_file for entry in manifest.fetch_manifest_entry(table.io)]
        yield from (file for file in files if file.file_path in first)
        rest += [file for file in files if file.file_path not in first]
        if late() or (len(rest) >= MOST_FILES and not first):
            break
    random.shuffle(rest)
    yield from rest


def _fault_of(io: "FileIO", file: "DataFile") -> str | None:
    from pyiceberg.manifest import FileFormat

    try:
        source = io.new_input(file.file_path)
        size = len(source)
        if size != file.file_size_in_bytes:
            return "cut short or replaced"
        if file.file_format == FileFormat.PARQUET:
            with source.open() as stream:
                stream.seek(max(0, size - len(PARQUET_END)))
                if stream.read(len(PARQUET_END)) != PARQUET_END:
                    return "cut short or replaced"
    except Exception as error:  # whatever the file system's library raises
        return _fault(error)
    return None


def _fault(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "lost"
    if isinstance(error, PermissionError):
        return "closed to the portal (no permission to read)"
    return "unreadable"


def _report(problems: list[Problem], catalogs: list[str], tables: int) -> HealthReport:
    if not problems:
        return HealthReport.healthy(catalogs=", ".join(catalogs), tables=str(tables))
    order = ("missing", "down", "degraded")
    problems = sorted(problems, key=lambda problem: order.index(problem.state))
    causes = " ".join(problem.cause for problem in problems[:5])
    more = f" {len(problems) - 5} more like these." if len(problems) > 5 else ""
    return HealthReport(problems[0].state, causes + more, problems[0].remedy)
