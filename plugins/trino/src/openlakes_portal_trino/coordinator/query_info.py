"""What Trino tells of a query (`/v1/query`, `/v1/query/{id}`), as the console shows it.

Trino's shape of it is no published contract: 476 nests stages (`outputStage.subStages`), later versions list them
(`stages.stages`). What is missing or new is left out of the page and breaks nothing.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from openlakes_portal.spi.sql import QueryState
from openlakes_portal_trino.coordinator.quantities import seconds, size

Raw = Mapping[str, Any]

_STATES: dict[str, QueryState] = {
    **dict.fromkeys(("QUEUED", "WAITING_FOR_RESOURCES", "DISPATCHING"), "queued"),
    **dict.fromkeys(("PLANNING", "STARTING", "RUNNING", "FINISHING"), "running"),
    "FINISHED": "finished",
    "FAILED": "failed",
}
STOPPED = ("USER_CANCELED", "ADMINISTRATIVELY_KILLED")
MOST_STAGES = 500
MOST_OPERATORS = 8
PREVIEW = 200
SPOOLS = "OutputSpoolingOperator"


class EngineQuery(BaseModel):
    """A query in Trino's list. Times are RFC 3339, durations seconds, sizes bytes; None is what Trino does not say."""

    id: str
    state: QueryState
    engine_state: str = Field(description="The state in Trino's own word")
    user: str
    source: str
    sql: str = Field(description="The statement; in a list its beginning")
    created_at: str | None
    elapsed: float | None
    cpu: float | None
    memory: int | None = Field(description="Bytes that it holds now")
    peak_memory: int | None
    splits_done: int | None
    splits_total: int | None
    rows_read: int | None
    bytes_read: int | None
    progress: float | None = Field(description="0..1; 0 for long where one stage reads much: look at splits and rows")


class Stage(BaseModel):
    """A part of a query that runs on the workers by itself; stage 0 hands out the result."""

    stage: int
    state: str
    work: str = Field(description="Its operators, from what it hands on back to what it reads")
    tasks: int | None
    splits_done: int | None
    splits_total: int | None
    rows_in: int | None
    bytes_in: int | None
    rows_out: int | None
    cpu: float | None
    blocked: float | None
    peak_memory: int | None


class Restriction(BaseModel):
    """What Trino's access rules took away for the person who asked: rows of a table, or the true value of a column."""

    table: str
    kind: Literal["rows", "column"]
    column: str
    rule: str = Field(description="The row filter, or the mask, in SQL")


class Fault(BaseModel):
    """Why it failed; `line` and `column` count from 1 in the statement as Trino got it."""

    code: str
    line: int | None
    column: int | None
    message: str


class QueryFacts(BaseModel):
    """What stands beside the figures."""

    user: str
    principal: str
    source: str
    engine_state: str
    created_at: str | None
    query_type: str
    catalog: str
    schema_name: str
    resource_group: str
    ended_at: str | None
    queued: float | None
    planning: float | None
    scheduled: float | None
    rows_out: int | None
    bytes_out: int | None
    spilled: int | None
    session: str = Field(description="Session properties that were set for it")
    console: str | None = Field(None, description="Where Trino's own page of it opens in the console")


class EngineQueryDetail(EngineQuery):
    """Everything that is shown of one query."""

    facts: QueryFacts
    tables: list[str]
    restrictions: list[Restriction]
    faults: list[Fault] = Field(description="One where it failed, none else")
    stages: list[Stage]
    note: str = Field("", description="What is missing and why")


def listed(raw: Raw) -> EngineQuery:
    """One of the list."""
    return EngineQuery(**_common(raw, PREVIEW))


def detailed(raw: Raw) -> EngineQueryDetail:
    """One query with its stages."""
    return EngineQueryDetail(
        **_common(raw, None),
        facts=_facts(raw),
        tables=sorted({_table(table) for table in _mappings(raw.get("referencedTables"))}),
        restrictions=list(_restrictions(raw)),
        faults=_faults(raw),
        stages=sorted((_stage(stage) for stage in _stages(raw)), key=lambda stage: stage.stage),
    )


def _facts(raw: Raw) -> QueryFacts:
    stats, session = _mapping(raw.get("queryStats")), _mapping(raw.get("session"))
    properties = {**_mapping(session.get("systemProperties")), **_catalog_properties(session)}
    return QueryFacts(
        user=user_of(raw),
        principal=_text(session.get("principal")),
        source=_text(session.get("source")),
        engine_state=_text(raw.get("state")),
        created_at=stats.get("createTime"),
        query_type=_text(raw.get("queryType")),
        catalog=_text(session.get("catalog")),
        schema_name=_text(session.get("schema")),
        resource_group=".".join(str(part) for part in raw.get("resourceGroupId") or ()),
        ended_at=stats.get("endTime"),
        queued=seconds(stats.get("queuedTime")),
        planning=seconds(stats.get("planningTime")),
        scheduled=seconds(stats.get("totalScheduledTime")),
        rows_out=_rows_out(stats),
        bytes_out=_bytes_out(stats),
        spilled=size(stats.get("spilledDataSize")),
        session=", ".join(f"{name} = {value}" for name, value in sorted(properties.items())),
    )


def state_of(raw: Raw) -> QueryState:
    """Trino's state in the shared vocabulary: what was stopped is no failure."""
    if _mapping(raw.get("errorCode")).get("name") in STOPPED:
        return "cancelled"
    return _STATES.get(str(raw.get("state")), "running")


def user_of(raw: Raw) -> str:
    """Whose query it is."""
    return _text(_mapping(raw.get("session")).get("user"))


def _common(raw: Raw, preview: int | None) -> dict[str, Any]:
    stats, session = _mapping(raw.get("queryStats")), _mapping(raw.get("session"))
    percent = stats.get("progressPercentage", raw.get("progressPercentage"))
    sql = _text(raw.get("query"))
    rows = stats.get("processedInputPositions", stats.get("rawInputPositions"))
    return {
        "id": _text(raw.get("queryId")),
        "state": state_of(raw),
        "engine_state": _text(raw.get("state")),
        "user": user_of(raw),
        "source": _text(session.get("source")),
        "sql": sql if preview is None else " ".join(sql.split())[:preview],
        "created_at": stats.get("createTime"),
        "elapsed": seconds(stats.get("elapsedTime")),
        "cpu": seconds(stats.get("totalCpuTime")),
        "memory": size(stats.get("totalMemoryReservation")),
        "peak_memory": size(stats.get("peakTotalMemoryReservation")),
        "splits_done": _number(stats.get("completedDrivers")),
        "splits_total": _number(stats.get("totalDrivers")),
        "rows_read": _number(rows),
        "bytes_read": size(stats.get("processedInputDataSize", stats.get("rawInputDataSize"))),
        "progress": percent / 100 if isinstance(percent, int | float) else None,
    }


def _stages(raw: Raw) -> Iterator[Raw]:
    """Nested as in 476, or listed; at most so many, whatever their depth."""
    flat = _mapping(raw.get("stages")).get("stages")
    waiting = _mappings(flat) or _mappings([raw.get("outputStage")])
    for _ in range(MOST_STAGES):
        if not waiting:
            return
        stage = waiting.pop(0)
        yield stage
        waiting += _mappings(stage.get("subStages"))


def _stage(raw: Raw) -> Stage:
    stats = _mapping(raw.get("stageStats"))
    number = _text(raw.get("stageId")).rpartition(".")[2]
    return Stage(
        stage=int(number) if number.isdecimal() else 0,
        state=_text(raw.get("state")).lower(),
        work=_work(_mapping(raw.get("plan")).get("jsonRepresentation")),
        tasks=_number(stats.get("totalTasks")),
        splits_done=_number(stats.get("completedDrivers")),
        splits_total=_number(stats.get("totalDrivers")),
        rows_in=_number(stats.get("processedInputPositions")),
        bytes_in=size(stats.get("processedInputDataSize")),
        rows_out=_rows_out(stats),
        cpu=seconds(stats.get("totalCpuTime")),
        blocked=seconds(stats.get("totalBlockedTime")),
        peak_memory=size(stats.get("peakUserMemoryReservation")),
    )


def _rows_out(stats: Raw) -> int | None:
    """Rows of the result; where it is spooled, Trino counts its segments as what it hands out."""
    spooled = [_number(each.get("inputPositions")) or 0 for each in _spooling(stats)]
    return sum(spooled) if spooled else _number(stats.get("outputPositions"))


def _bytes_out(stats: Raw) -> int | None:
    spooled = [size(each.get("inputDataSize")) or 0 for each in _spooling(stats)]
    return sum(spooled) if spooled else size(stats.get("outputDataSize"))


def _spooling(stats: Raw) -> list[Raw]:
    operators = _mappings(stats.get("operatorSummaries"))
    return [each for each in operators if each.get("operatorType") == SPOOLS]


def _work(plan: object) -> str:
    """`Aggregate, InnerJoin, TableScan tpch:tiny:nation`: the operators of a stage's plan, the outermost first."""
    try:
        root = json.loads(plan) if isinstance(plan, str) else None
    except ValueError:
        return ""
    found: list[str] = []
    waiting = _mappings([root])
    while waiting and len(found) < MOST_OPERATORS:
        node = waiting.pop(0)
        table = _text(_mapping(node.get("descriptor")).get("table"))
        found.append(f"{_text(node.get('name'))} {table}".strip())
        waiting += _mappings(node.get("children"))
    return ", ".join(found) + (", ..." if waiting else "")


def _restrictions(raw: Raw) -> Iterator[Restriction]:
    for table in _mappings(raw.get("referencedTables")):
        name = _table(table)
        for rule in table.get("filters") or ():
            yield Restriction(table=name, kind="rows", column="", rule=str(rule))
        for column in _mappings(table.get("columns")):
            mask = column.get("mask")
            if mask:
                yield Restriction(table=name, kind="column", column=_text(column.get("column")), rule=str(mask))


def _faults(raw: Raw) -> list[Fault]:
    code = _mapping(raw.get("errorCode"))
    if not code:
        return []
    info = _mapping(raw.get("failureInfo"))
    where = _mapping(info.get("errorLocation"))
    return [
        Fault(
            code=_text(code.get("name")),
            line=_number(where.get("lineNumber")),
            column=_number(where.get("columnNumber")),
            message=_text(info.get("message")),
        )
    ]


def _catalog_properties(session: Raw) -> dict[str, Any]:
    return {
        f"{catalog}.{name}": value
        for catalog, properties in _mapping(session.get("catalogProperties")).items()
        for name, value in _mapping(properties).items()
    }


def _table(raw: Raw) -> str:
    return ".".join(_text(raw.get(part)) for part in ("catalog", "schema", "table"))


def _mapping(raw: object) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _mappings(raw: object) -> list[Raw]:
    return [part for part in raw if isinstance(part, dict)] if isinstance(raw, list) else []


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""


def _number(raw: object) -> int | None:
    return int(raw) if isinstance(raw, int | float) else None
