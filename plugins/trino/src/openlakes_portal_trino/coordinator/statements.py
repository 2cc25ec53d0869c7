"""A statement with parameters, as Trino takes it: `EXECUTE IMMEDIATE '<text>' USING <values>`.

The text keeps its `?` marks and each value is a literal in a place of its own, written by sqlglot: nothing that a
person typed as a value is ever read as SQL.
"""

import re
from collections.abc import Mapping

from sqlglot import exp

from openlakes_portal.spi.sql import Scalar
from openlakes_portal_trino.parameters import as_marks, check, placeholders

EXPLAINED = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+(?:VERBOSE\s+)?)?(?:\([A-Z, ]*\)\s*)?", re.IGNORECASE)
"""What explains a statement stands before `EXECUTE IMMEDIATE`: in its text the values would be missing."""


def bound(sql: str, parameters: Mapping[str, Scalar]) -> str:
    """What is sent. Raises `ParameterMismatch`."""
    found = placeholders(sql, "trino")
    check(found, parameters)
    if not found:
        return sql
    values = ", ".join(_literal(parameters[placeholder.name]) for placeholder in found)
    text = as_marks(sql, found).rstrip("; \n\t")
    explained = EXPLAINED.match(text)
    asked = explained[0] if explained is not None else ""
    return f"{asked}EXECUTE IMMEDIATE {_literal(text[len(asked) :])} USING {values}"


def _literal(value: Scalar) -> str:
    if isinstance(value, float):
        return f"DOUBLE '{value!r}'"
    return exp.convert(value).sql(dialect="trino")
