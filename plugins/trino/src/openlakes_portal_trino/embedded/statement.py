"""What a statement is, read by DuckDB's own parser before anything of it runs.

Exactly one SELECT, or EXPLAIN of one, is let through. Its parse tree (`json_serialize_sql`) names every table and
function in it, wherever it stands, so that

- the tables can be looked up among those that the person may read, and only those be attached;
- functions that reach behind the tables are refused by name: of the table functions all but `TABLE_FUNCTIONS`, which
  excludes in particular `arrow_scan` (it takes addresses in memory) and `query` (it takes SQL as text).

This is the second wall. The first is the connection itself, which has no access to files, network or settings.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from openlakes_portal.spi import QueryError
from openlakes_portal_trino.embedded.errors import translated
from openlakes_portal_trino.embedded.refusal import Refused
from openlakes_portal_trino.explain import explain
from openlakes_portal_trino.positions import line_and_column

TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "test_all_types"),
        *("pg_timezone_names", "icu_calendar_names", "duckdb_functions", "duckdb_keywords", "duckdb_types"),
    }
)
"""The only table functions that may be called: they make rows of their arguments, or describe the language."""

REFUSED_FUNCTIONS = frozenset(
    {
        *("current_setting", "getvariable", "getenv", "write_log", "pg_get_viewdef"),
        *("json_serialize_plan", "json_execute_serialized_sql", "pg_conf_load_time", "pg_postmaster_start_time"),
    }
)
"""Scalar functions that show settings or bind SQL given as text."""

OWN_TABLES = ("pg_", "duckdb_", "sqlite_", "pragma_")
"""How names of the engine's own tables begin. A table of the lakehouse of such a name is written with its schema."""

REFUSED_SCHEMAS = frozenset({"pg_catalog", "system", "temp"})
NOWHERE = 2**64 - 1
"""What DuckDB's parser says for a node without a position."""


@dataclass(frozen=True)
class TableName:
    """A table as a statement names it; `catalog` and `schema` are empty where they are not written."""

    catalog: str
    schema: str
    table: str
    offset: int


@dataclass(frozen=True)
class ReadStatement:
    """A statement that may run. `text` is what is executed, `shift` how much further right the person's text has
    each place; `introspects` is whether it asks which tables there are."""

    text: str
    explain: bool
    shift: int
    tables: tuple[TableName, ...]
    parameters: frozenset[str]
    introspects: bool

    @classmethod
    def ours(cls, sql: str) -> "ReadStatement":
        """A statement that the portal itself wrote: it needs no judging."""
        return cls(sql, False, 0, (), frozenset(), False)


def read(connection: duckdb.DuckDBPyConnection, sql: str) -> ReadStatement:
    """Parse and judge. Raises `Refused` (syntax, or permission with the place of what is not allowed)."""
    kind, parameters = _only_statement(connection, sql)
    if kind == "SELECT":
        tables, introspects = _judge(_tree(connection, sql), sql, 0)
        return ReadStatement(sql, False, 0, tables, parameters, introspects)
    if kind == "EXPLAIN":
        return _explain(connection, sql, parameters)
    raise _only_reads(kind + " statements are", _hint(sql))


def _only_reads(what: str, hint: str = "") -> Refused:
    return Refused(QueryError(f"{what} not allowed here: this engine only reads.{hint}", "permission"))


def _hint(sql: str) -> str:
    return " Name PIVOT's values: ON column IN (...)." if "pivot" in sql[:200].lower() else ""


def _only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, frozenset[str]]:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise Refused(translated(error, sql)) from error
    if not statements:
        raise Refused(QueryError("There is no statement to run.", "input"))
    kinds = [statement.type.name for statement in statements]
    if len(statements) > 1 and not (kinds[0] == "CREATE" and "pivot" in sql[:200].lower()):
        raise Refused(QueryError(f"Only one statement is run at a time; these are {len(kinds)}.", "permission"))
    return kinds[0], frozenset(statements[0].named_parameters)


def _explain(connection: duckdb.DuckDBPyConnection, sql: str, parameters: frozenset[str]) -> ReadStatement:
    """EXPLAIN [ANALYZE]: what it explains is judged alone, and the words before it are written by us."""
    prefix, rest = _split_explain(sql)
    kind, _ = _only_statement(connection, rest)
    if kind != "SELECT":
        raise _only_reads(f"EXPLAIN of {kind} statements is")
    shift = len(sql.encode()) - len(rest.encode())
    tables, introspects = _judge(_tree(connection, rest), sql, shift)
    return ReadStatement(prefix + rest, True, shift - len(prefix), tables, parameters, introspects)


def _split_explain(sql: str) -> tuple[str, str]:
    found = explain(sql)
    if found is None:
        raise Refused(QueryError("EXPLAIN must be the first word.", "syntax"))
    return ("EXPLAIN ANALYZE " if found.analyze else "EXPLAIN "), sql[found.start :]


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        tree = json.loads(row[0]) if row else {"error": True}
    except duckdb.Error as error:
        raise Refused(translated(error, sql)) from error
    except RecursionError as error:
        raise Refused(QueryError("The statement is nested too deeply to be read.", "resources")) from error
    if tree["error"]:
        reason = tree.get("error_message")
        raise Refused(QueryError(f"This statement cannot be checked, so it is not run: {reason}", "permission"))
    return tree


def _judge(tree: Any, sql: str, shift: int) -> tuple[tuple[TableName, ...], bool]:
    tables: list[TableName] = []
    introspects = False
    for node in _nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            _judge_table_function(node["function"], sql, shift)
        elif "function_name" in node:
            _judge_function(node, sql, shift)
        elif kind == "BASE_TABLE":
            parts = (node["catalog_name"], node["schema_name"], node["table_name"])
            name = TableName(*parts, node["query_location"] + shift)
            _judge_table(name, sql)
            tables.append(name)
            introspects |= name.schema.lower() == "information_schema"
        elif kind == "SHOW_REF":
            introspects |= node.get("query") is None
    return tuple(tables), introspects


def _judge_table_function(function: Any, sql: str, shift: int) -> None:
    name = str(function.get("function_name", "")).lower()
    if name not in TABLE_FUNCTIONS:
        raise _refusal(f"The table function {name} is not allowed here", sql, function, shift)


def _judge_function(function: Any, sql: str, shift: int) -> None:
    name = str(function["function_name"]).lower()
    if name in REFUSED_FUNCTIONS or name.startswith("__internal"):
        raise _refusal(f"The function {name} is not allowed here", sql, function, shift)


def _judge_table(name: TableName, sql: str) -> None:
    own = not name.schema and name.table.lower().startswith(OWN_TABLES)
    if own or {name.schema.lower(), name.catalog.lower()} & REFUSED_SCHEMAS:
        place = line_and_column(sql, name.offset)
        line, column = place or (None, None)
        raise Refused(QueryError("The engine's own tables may not be read here.", "permission", line, column))


def _refusal(what: str, sql: str, node: Any, shift: int) -> Refused:
    offset = node.get("query_location", NOWHERE)
    place = None if offset == NOWHERE else line_and_column(sql, offset + shift)
    line, column = place or (None, None)
    return Refused(QueryError(f"{what}: only the tables that you may read can be queried.", "permission", line, column))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion: the tree is as deep as people nest."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))
