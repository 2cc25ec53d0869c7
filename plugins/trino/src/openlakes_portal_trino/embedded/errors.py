"""DuckDB's errors in the shared vocabulary: what kind it is, where it is, and nothing of this machine in its words."""

import json
import re
from collections.abc import Callable

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


GUESS = re.compile(r'\s*Did you mean "(?P<name>[^"]*)".*', re.DOTALL)
Suggest = Callable[[str, str, str], str | None]
"""What may be told in place of DuckDB's guess: (kind of thing, the absent name, the guess) -> a name, or nothing."""


def no_suggestion(kind: str, absent: str, guess: str) -> str | None:
    """Suggests nothing."""
    return None


def translated(
    error: duckdb.Error,
    sql: str,
    shift: int = 0,
    hidden: tuple[str, ...] = (),
    suggest: Suggest = no_suggestion,
) -> QueryError:
    """The error for the person. The connection has `errors_as_json`, so that DuckDB states its offset in bytes;
    `shift` is added to it; `hidden` are places of this machine that are taken out of the words. DuckDB guesses names
    among its own tables and those of the connection, so `suggest` decides which name is told instead."""
    text = str(error)
    try:
        raw = json.loads(text[text.index("{") :])
        name, message, position = str(raw["exception_type"]), str(raw["exception_message"]), raw.get("position")
        message = _with_suggestion(message, str(raw.get("type", "")), str(raw.get("name", "")), suggest)
    except (ValueError, KeyError, TypeError):
        name, message, position = type(error).__name__.removesuffix("Exception"), text, None
    place = line_and_column(sql, int(position) + shift) if position is not None else None
    line, column = place or (None, None)
    return QueryError(without(message, hidden), _kind(name, message), line, column, engine_code=name)


def _with_suggestion(message: str, kind: str, absent: str, suggest: Suggest) -> str:
    guessed = GUESS.search(message)
    found = suggest(kind, absent, guessed["name"] if guessed else "")
    return GUESS.sub("", message) + (f' Did you mean "{found}"?' if found else "")


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
