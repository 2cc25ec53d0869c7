"""Trino's errors (`errorName`, `errorType`, `errorLocation`) in the shared vocabulary."""

from trino.exceptions import TrinoQueryError

from openlakes_portal.spi import QueryError
from openlakes_portal.spi.sql import ErrorKind

NAMES: dict[str, ErrorKind] = {
    "SYNTAX_ERROR": "syntax",
    "PERMISSION_DENIED": "permission",
    "EXCEEDED_TIME_LIMIT": "timeout",
    "USER_CANCELED": "cancelled",
    "ADMINISTRATIVELY_KILLED": "cancelled",
    "TYPE_MISMATCH": "syntax",
    "EXPRESSION_NOT_AGGREGATE": "syntax",
    "AMBIGUOUS_NAME": "syntax",
    "INVALID_PARAMETER_USAGE": "input",
}


def translated(error: TrinoQueryError) -> QueryError:
    """The error for the person."""
    name = error.error_name or ""
    line, column = error.error_location or (None, None)
    return QueryError(error.message, _kind(name, error.error_type or ""), line, column, engine_code=name)


def _kind(name: str, type_: str) -> ErrorKind:
    if name in NAMES:
        return NAMES[name]
    if name.endswith("_NOT_FOUND"):
        return "not_found"
    return "resources" if type_ == "INSUFFICIENT_RESOURCES" else "engine"
