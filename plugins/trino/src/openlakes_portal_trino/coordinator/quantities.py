"""Durations and sizes as Trino writes them (airlift's `Duration` and `DataSize`): `13.67s`, `2.80ms`, `233959108B`.

What cannot be read is None: a figure that is not known stops no page.
"""

import re

_WRITTEN = re.compile(r"^\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)\s*$")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {"B": 0, "kB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}


def seconds(text: object) -> float | None:
    """A duration in seconds."""
    found = _WRITTEN.match(text) if isinstance(text, str) else None
    if found is None or found[2] not in _SECONDS:
        return None
    return float(found[1]) * _SECONDS[found[2]]


def size(text: object) -> int | None:
    """A size in bytes; Trino's units are powers of 1024."""
    found = _WRITTEN.match(text) if isinstance(text, str) else None
    if found is None or found[2] not in _BYTES:
        return None
    return int(float(found[1]) * 1024 ** _BYTES[found[2]])
