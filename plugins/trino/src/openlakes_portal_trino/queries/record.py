"""A query as it is kept and shown: what was asked, by whom, how far it is, how it ended.

`QueryRecord` is what the history keeps (a document of the portal's database); `QueryView` is that record with what
only its engine knows while it runs.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from openlakes_portal.spi import Document, QueryStatus, Statement
from openlakes_portal.spi.sql import ErrorKind, QueryState, Scalar

PropertyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}(\.[A-Za-z0-9_-]{1,100})?$")]
PropertyValue = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Submission(BaseModel, extra="forbid"):
    """A statement to run."""

    sql: str = Field(
        min_length=1, pattern=r"^[^\x00]*$", description="One SQL statement; parameters are written `:name`"
    )
    engine: str | None = Field(None, description="Engine; none: the default one")
    catalog: str | None = Field(None, max_length=200, description="Catalog of unqualified names")
    schema_: str | None = Field(None, alias="schema", max_length=200, description="Schema of unqualified names")
    parameters: dict[str, Scalar] = Field(default_factory=dict, max_length=200, description="Values by name")
    row_limit: int | None = Field(None, ge=1, description="Most rows that the result keeps; none: the site's default")
    session: dict[PropertyName, PropertyValue] = Field(
        default_factory=dict, max_length=50, description="Properties of the engine's session for this statement"
    )


class ColumnView(BaseModel):
    """A column of the result: its name and its type in the engine's own words."""

    name: str
    type: str


class ErrorView(BaseModel):
    """Why it failed; `line` and `column` count from 1 in the statement as it was sent."""

    message: str
    kind: ErrorKind
    line: int | None = None
    column: int | None = None
    engine_code: str | None = None


class Figures(BaseModel, serialize_by_alias=True):
    """How far a query is, or how it ended."""

    state: QueryState = "queued"
    progress: float | None = None
    rows: int = 0
    bytes: int = 0
    total_rows: int | None = Field(None, description="Rows of the whole result, where it is known")
    truncated: bool = Field(False, description="Whether there are more rows, or longer values, than were kept")
    columns: list[ColumnView] = Field(default_factory=list)
    rows_read: int | None = None
    bytes_read: int | None = None
    splits_done: int | None = None
    splits_total: int | None = None
    elapsed: float = Field(0.0, description="Seconds in the engine")
    engine_query_id: str | None = None
    error: ErrorView | None = None

    @classmethod
    def of(cls, status: QueryStatus) -> Self:
        """From what an engine says."""
        return cls.model_validate(asdict(status))


class QueryRecord(Figures):
    """What the history keeps. `replica` is the portal process's folder that holds the result."""

    sql: str
    engine: str
    catalog: str | None = None
    schema_: str | None = Field(None, alias="schema")
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    session: dict[str, str] = Field(default_factory=dict)
    row_limit: int
    username: str
    replica: str
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def with_status(self, status: QueryStatus) -> Self:
        """The record with an engine's newest word."""
        return self.model_copy(update=dict(Figures.of(status)))

    def statement(self) -> Statement:
        """For an engine."""
        return Statement(self.sql, self.catalog, self.schema_, self.parameters, self.row_limit, self.session)

    def data(self) -> dict[str, object]:
        """As a document."""
        columns = self.columns[:MOST_COLUMNS]
        return self.model_copy(update={"columns": columns}).model_dump(mode="json", by_alias=True)


MOST_COLUMNS = 2_000
"""Columns that the history keeps the names of; the result itself has all."""


class QueryView(QueryRecord):
    """A query as it is shown."""

    id: str
    created_at: datetime
    results_kept: bool = Field(description="Whether its result can be read")
    counting: bool = Field(False, description="Whether the rows of the whole result are still being counted")
    queue_position: int | None = Field(None, description="How many of the person's queries go first, while it waits")


def view(
    document: Document, record: QueryRecord, kept: bool, position: int | None = None, counting: bool = False
) -> QueryView:
    """What is shown of a record."""
    return QueryView(
        **dict(record.model_dump(by_alias=True)),
        id=document.id,
        created_at=document.created_at,
        results_kept=kept,
        counting=counting,
        queue_position=position,
    )
