"""What the portal and a worker say to each other: one JSON line each, the job in, messages out; and the two words that
the fork server understands.

Secrets (a catalog's credential) travel on the worker's own socket only: never in arguments or an environment, which
other processes can read, and never by way of the fork server, whose memory every later worker inherits.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from openlakes_portal.spi import QueryError, ResultColumn
from openlakes_portal.spi.sql import ErrorKind, Scalar

Line = bytes
FORK = b"fork"
KILL = b"kill "


def kill(pid: int) -> bytes:
    """Asks the fork server to kill a child."""
    return KILL + str(pid).encode("ascii")


def killed(asked: bytes) -> int:
    """Whom `kill` names; 0 where it is no such word."""
    return int(asked.removeprefix(KILL)) if asked.startswith(KILL) else 0


@dataclass(frozen=True)
class Limits:
    """What one statement may use; bytes, rows, threads."""

    memory: int
    threads: int
    temp: int
    rows: int | None
    spool: int
    cell: int


@dataclass(frozen=True)
class Job:
    """One statement of one principal. `catalogs` are pyiceberg's properties by name, `grants` what may be read.

    With `count`, rows beyond the limits are counted once the result is complete, for as long as the portal lets it.
    With `result` it is a statement of ours instead, over the one table `result`: that file's columns, as c0, c1, ...
    """

    sql: str
    spool: str
    scratch: str
    limits: Limits
    catalogs: dict[str, dict[str, str]]
    grants: str
    user: str
    catalog: str | None = None
    schema: str | None = None
    result: str | None = None
    count: bool = False
    parameters: dict[str, Scalar] = field(default_factory=dict)

    def encoded(self) -> "Line":
        """One line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @property
    def words(self) -> Path:
        """Where the worker's standard error goes."""
        return Path(self.scratch) / "words"

    def last_words(self, most: int) -> str:
        """The end of what the worker said there."""
        try:
            with self.words.open("rb") as file:
                file.seek(max(0, self.words.stat().st_size - most))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    @classmethod
    def parse(cls, line: "Line") -> "Job":
        """What `encoded` made."""
        raw = json.loads(line)
        return cls(**{**raw, "limits": Limits(**raw["limits"])})


@dataclass(frozen=True)
class Message:
    """What a worker says: `kind` is `columns`, `progress`, `finished`, `failed`, or after a `finished` with `counting`
    also `counted`: `rows` are then those of the whole result. `total` is None where there are more than were kept."""

    kind: str
    rows: int = 0
    bytes: int = 0
    progress: float | None = None
    truncated: bool = False
    total: int | None = None
    counting: bool = False
    columns: tuple[ResultColumn, ...] = ()
    error: QueryError | None = None

    def encoded(self) -> "Line":
        """One line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: "Line") -> "Message":
        """What `encoded` made."""
        raw = json.loads(line)
        error = raw.pop("error")
        columns = tuple(ResultColumn(**column) for column in raw.pop("columns"))
        return cls(**raw, columns=columns, error=_error(error) if error else None)


def _error(raw: dict[str, str | int | None]) -> QueryError:
    line, column = raw["line"], raw["column"]
    return QueryError(
        message=str(raw["message"]),
        kind=cast(ErrorKind, raw["kind"]),
        line=int(line) if line is not None else None,
        column=int(column) if column is not None else None,
        engine_code=str(raw["engine_code"]) if raw["engine_code"] is not None else None,
    )
