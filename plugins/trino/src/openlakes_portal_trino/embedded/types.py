"""Iceberg's types in DuckDB's words (https://iceberg.apache.org/spec/#primitive-types), from their text form."""

import re

WORDS = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ns": "TIMESTAMP_NS",
    "timestamptz_ns": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}
FIELD = re.compile(r"^\d+: (?P<name>.+?): (?:optional|required) (?P<type>.+)$")


def duckdb_type(iceberg: str) -> str:
    """`list<int>` is `INTEGER[]`, `decimal(38, 9)` is `DECIMAL(38,9)`; what is not known stays as it is."""
    if iceberg in WORDS:
        return WORDS[iceberg]
    if iceberg.startswith("decimal"):
        return iceberg.upper().replace(" ", "")
    if iceberg.startswith("fixed"):
        return "BLOB"
    outer, _, inner = iceberg.partition("<")
    parts = _split(inner.removesuffix(">"))
    if outer == "list":
        return f"{duckdb_type(parts[0])}[]"
    if outer == "map" and len(parts) == 2:
        return f"MAP({duckdb_type(parts[0])}, {duckdb_type(parts[1])})"
    if outer == "struct":
        return f"STRUCT({', '.join(_field(part) for part in parts)})"
    return iceberg


def _field(text: str) -> str:
    found = FIELD.match(text)
    return f"{found['name']} {duckdb_type(found['type'])}" if found else text


def _split(text: str) -> list[str]:
    """Parts between commas that are inside no bracket."""
    parts, depth, part = [], 0, ""
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    return [*parts, part.strip()]
