"""DuckDB's errors in the shared vocabulary: what kind it is, where it is, and nothing of this machine in its words."""

import json
import re

import duckdb

from openlakes_portal.spi import QueryError
from openlakes_portal.spi.sql import ErrorKind
from openlakes_portal_trino.positions import line_and_column

KINDS: dict[str, ErrorKind] = {
    "Parser": "syntax",
    "Syntax": "syntax",
    "Permission": "permission",
    "Out of Memory": "resources",
    "INTERRUPT": "cancelled",
    "Interrupt": "cancelled",
}
ABSENT = re.compile(r"does not exist|not found", re.IGNORECASE)
SPILL = "max_temp_directory_size"


def translated(error: duckdb.Error, sql: str, shift: int = 0, hidden: tuple[str, ...] = ()) -> QueryError:
    """The error for the person. The connection has `errors_as_json`, so that DuckDB states its offset in bytes;
    `shift` is added to it; `hidden` are places of this machine that are taken out of the words."""
    text = str(error)
    try:
        raw = json.loads(text[text.index("{") :])
        name, message, position = str(raw["exception_type"]), str(raw["exception_message"]), raw.get("position")
    except (ValueError, KeyError, TypeError):
        name, message, position = type(error).__name__.removesuffix("Exception"), text, None
    place = line_and_column(sql, int(position) + shift) if position is not None else None
    line, column = place or (None, None)
    return QueryError(without(message, hidden), _kind(name, message), line, column, engine_code=name)


def _kind(name: str, message: str) -> ErrorKind:
    if name in ("Binder", "Catalog"):
        return "not_found" if ABSENT.search(message) else "syntax"
    if SPILL in message:
        return "resources"
    return KINDS.get(name, "engine")


def without(message: str, hidden: tuple[str, ...]) -> str:
    """The message with every hidden place replaced."""
    for place in sorted(filter(None, hidden), key=len, reverse=True):
        message = message.replace(place, "<storage>")
    return message.strip()
