"""The shared capability `SqlEngine`: run one SQL statement as a person, with results as an Arrow IPC stream.

An engine writes its result to a local *spool* file in the Arrow IPC streaming format
(https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format), one schema message and then one record batch
message after the other, and reports how many rows and bytes are safely in it. The reader may follow the file while it
grows: what `QueryStatus.bytes` counts is complete messages only. Core never parses Arrow; so it never imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from openlakes_portal.spi.access import Principal

QueryState = Literal["queued", "running", "finished", "failed", "cancelled"]
Scalar = str | int | float | bool | None
ErrorKind = Literal["syntax", "permission", "not_found", "resources", "timeout", "engine", "input", "cancelled"]


@dataclass(frozen=True)
class Statement:
    """One SQL statement. Parameters are bound by the driver under their names (`:name`), never spliced into the text.

    `row_limit` is the most rows that the result keeps (None: the engine's own bound); more rows make it `truncated`.
    `session` are properties of the engine's session for this one statement, by name; an engine
    that has none of that name refuses the statement.
    """

    sql: str
    catalog: str | None = None
    schema: str | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    row_limit: int | None = None
    session: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QueryError:
    """Why a statement failed. `line` and `column` count from 1, in the text as it was sent."""

    message: str
    kind: ErrorKind
    line: int | None = None
    column: int | None = None
    engine_code: str | None = None


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result: its name as the engine gives it and its type in the engine's own words."""

    name: str
    type: str


@dataclass(frozen=True)
class QueryStatus:
    """Where a running statement is.

    `progress` is 0..1 or None where the engine cannot say; `rows` and `bytes` count what is in the spool (complete
    messages); `rows_read` and `bytes_read` what the engine read; `total_rows` the whole result's where it is known.
    """

    state: QueryState
    engine_query_id: str | None = None
    progress: float | None = None
    rows: int = 0
    bytes: int = 0
    total_rows: int | None = None
    truncated: bool = False
    columns: tuple[ResultColumn, ...] = ()
    rows_read: int | None = None
    bytes_read: int | None = None
    splits_done: int | None = None
    splits_total: int | None = None
    elapsed: float = 0.0
    error: QueryError | None = None

    @property
    def done(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("finished", "failed", "cancelled")


@dataclass(frozen=True)
class TableColumn:
    """A column of a table: name, type in the engine's words, whether NULL may stand in it, its comment."""

    name: str
    type: str
    nullable: bool = True
    comment: str | None = None


@dataclass(frozen=True)
class TableEntry:
    """A table in a list; `rows` only where it costs nothing to know."""

    name: str
    kind: Literal["table", "view"] = "table"
    rows: int | None = None


@dataclass(frozen=True)
class TableDetail:
    """One table as this principal may see it: masked and hidden columns are already accounted for."""

    catalog: str
    schema: str
    name: str
    kind: Literal["table", "view"]
    columns: tuple[TableColumn, ...]
    rows: int | None = None
    bytes: int | None = None
    comment: str | None = None
    partitioned_by: tuple[str, ...] = ()


class RunningStatement(Protocol):
    """A statement that was handed to an engine. It survives the loss of whoever watches it."""

    def status(self) -> QueryStatus:
        """The newest known status; never blocks."""

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """The status once it differs from `seen`, or after `at_most` seconds the same one again."""

    async def stop(self) -> QueryStatus:
        """Stop it and return the engine's final state, proven by the engine and not merely asked for."""


@runtime_checkable
class SqlEngine(Protocol):
    """Runs SQL as a person. Every method acts with that person's rights only.

    Raises `NotFound` for names that do not exist or may not be seen, `UpstreamUnavailable` where the engine is away.
    """

    id: str
    title: str
    dialect: str

    async def catalogs(self, principal: Principal) -> Sequence[str]:
        """Catalogs that the principal may see."""

    async def schemas(self, principal: Principal, catalog: str) -> Sequence[str]:
        """Schemas of a catalog that the principal may see."""

    async def tables(self, principal: Principal, catalog: str, schema: str) -> Sequence[TableEntry]:
        """Tables of a schema that the principal may see."""

    async def table(self, principal: Principal, catalog: str, schema: str, table: str) -> TableDetail:
        """Columns and figures of one table."""

    async def functions(self) -> Sequence[str]:
        """Names of the engine's functions, for completion."""

    async def start(self, principal: Principal, statement: Statement, spool: Path) -> RunningStatement:
        """Begin one statement; its result goes to `spool`. What the engine refuses is a failed status, not an error."""
