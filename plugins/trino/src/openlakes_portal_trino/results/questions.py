"""Questions about a stored result, as SQL over the table `result` with columns c0, c1, ... (embedded/stored.py).

Columns are named by their index, so that a name that stands twice is no trouble. Values are literals made by sqlglot:
DuckDB then reads `'2013-01-01'` in the column's own type.
"""

from typing import Literal

from pydantic import BaseModel, Field

from openlakes_portal.spi import InvalidInput
from openlakes_portal.spi.sql import Scalar

MOST_COLUMNS = 200
"""Columns of which statistics are made."""

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "contains", "null", "not_null"]
SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class Filter(BaseModel, extra="forbid"):
    """A condition on one column, by its index from 0. `contains` looks into the value as text, whatever the case."""

    column: int = Field(ge=0)
    op: Operator
    value: Scalar = None


class Sort(BaseModel, extra="forbid"):
    """An order by one column; NULL comes last."""

    column: int = Field(ge=0)
    descending: bool = False


def page(columns: int, sort: list[Sort], filters: list[Filter], offset: int, limit: int) -> str:
    """Some rows, and as last column how many there are with these filters."""
    _check(columns, [*sort, *filters])
    order = ", ".join(f"c{by.column} {'DESC' if by.descending else 'ASC'} NULLS LAST" for by in sort)
    parts = [
        "SELECT *, count(*) OVER () FROM result",  # nothing of it comes from outside
        _where(filters),
        f"ORDER BY {order}" if order else "",
        f"LIMIT {int(limit)} OFFSET {int(offset)}",
    ]
    return " ".join(part for part in parts if part)


def statistics(numeric: list[bool]) -> str:
    """One row a column: its index, rows, nulls, about how many distinct values, least, greatest, mean."""
    asked = enumerate(numeric[:MOST_COLUMNS])
    return " UNION ALL ".join(_statistics_of(index, is_number) for index, is_number in asked) or "SELECT 1 WHERE false"


def _statistics_of(index: int, is_number: bool) -> str:
    column = f"c{index}"
    mean = f"avg(CAST({column} AS DOUBLE))" if is_number else "CAST(NULL AS DOUBLE)"
    return (
        f"SELECT {index}, count(*), count(*) - count({column}), approx_count_distinct({column}), "  # noqa: S608
        f"CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR), {mean} FROM result"
    )


def _where(filters: list[Filter]) -> str:
    return f"WHERE {' AND '.join(_condition(condition) for condition in filters)}" if filters else ""


def _condition(condition: Filter) -> str:
    column = f"c{condition.column}"
    if condition.op in ("null", "not_null"):
        return f"{column} IS {'NOT ' if condition.op == 'not_null' else ''}NULL"
    if condition.op == "contains":
        return f"contains(lower(CAST({column} AS VARCHAR)), lower({_literal(str(condition.value))}))"
    return f"{column} {SIGNS[condition.op]} {_literal(condition.value)}"


def _literal(value: Scalar) -> str:
    from sqlglot import exp

    return exp.convert(value).sql(dialect="duckdb")


def _check(columns: int, parts: list[Sort | Filter]) -> None:
    for part in parts:
        if part.column >= columns:
            raise InvalidInput(f"The result has {columns} columns; column {part.column} is none of them.")
