"""Lines of Airflow's logs: structured ones (structlog, one JSON object a line) and plain ones, as text to read.

A line of Airflow's is an event in words with facts beside it; an exception is a list of frames in `error_detail`, the
outermost first, and becomes the lines that Python would print.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from openlakes_portal_airflow_dbt.views import LogLine

HEADS = frozenset(
    [
        *("timestamp", "event", "level", "logger", "filename", "lineno", "error_detail", "sources", "chan"),
        *("dag_id", "run_id", "task_id", "ti_id", "ti", "try_number", "map_index"),
    ]
)
"""What stands at a fixed place of a line, says where in Airflow's own code it was written, or is the same in all lines
of a log."""
UNTIL_IT_ENDS = "Could not read served logs"
"""Airflow's API server asks the worker for a running task's log before it looks into the file, and says so where no
worker serves any. Nothing is missing."""
FOLD, END_OF_FOLD = "::group::", "::endgroup::"
"""Marks of Airflow's own page, which folds what stands between them."""
SOURCES = "::group::Log message source details"
"""What is folded first: in which files of Airflow's the log is."""
MAX_TEXT = 20_000
"""Characters of one line; what is more is cut and says so."""


def lines_of(content: list[dict[str, Any] | str]) -> list[LogLine]:
    """The lines of a piece of a log, in its order."""
    return [line for entry in _without_sources(content) for line in _lines(entry)]


def lines_of_ndjson(entries: Iterable[bytes]) -> list[LogLine]:
    """The same of a log that came as a JSON value a line (`application/x-ndjson`); what is none is a plain line."""
    return lines_of([_entry(entry.decode(errors="replace")) for entry in entries])


def _entry(text: str) -> dict[str, Any] | str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, dict) else str(found)


class Tail:
    """The last lines of what comes in pieces: at most `size` bytes of them; `dropped` counts those before."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: deque[bytes] = deque()
        self._held = 0
        self._rest = b""
        self.dropped = 0

    def add(self, piece: bytes) -> None:
        """The next piece, which may end within a line. Of a line that is longer than all that is kept, only its end
        is."""
        *whole, rest = (self._rest + piece).split(b"\n")
        self._rest = rest[-self._size :]
        for line in whole:
            self._kept.append(line[-self._size :])
            self._held += len(self._kept[-1])
        while self._held + len(self._rest) > self._size and self._kept:
            self._held -= len(self._kept.popleft())
            self.dropped += 1

    def lines(self) -> list[bytes]:
        """Those that are kept, in their order."""
        return [line for line in (*self._kept, self._rest) if line.strip()]


def _without_sources(content: list[dict[str, Any] | str]) -> Iterator[dict[str, Any] | str]:
    """Everything but the list of files, and but marks that say nothing."""
    in_sources = False
    for entry in content:
        event = entry if isinstance(entry, str) else str(entry.get("event", ""))
        if event.startswith(END_OF_FOLD):
            in_sources = False
        elif event.startswith(SOURCES):
            in_sources = True
        elif not in_sources and not event.startswith(UNTIL_IT_ENDS):
            yield entry


def _lines(entry: dict[str, Any] | str) -> Iterator[LogLine]:
    if isinstance(entry, str):
        yield from _split(None, None, entry)
        return
    event = str(entry.get("event", "")).removeprefix(FOLD)
    at, level = _text(entry.get("timestamp")), _text(entry.get("level"))
    facts = " ".join(f"{key}={_fact(value)}" for key, value in entry.items() if key not in HEADS)
    yield from _split(at, level, f"{event} {facts}".rstrip())
    for text in _traceback(entry.get("error_detail")):
        yield from _split(at, level or "error", text)


def _split(at: str | None, level: str | None, text: str) -> Iterator[LogLine]:
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]} ... ({len(text) - MAX_TEXT} more characters: open the log in Airflow)"
    for line in text.splitlines() or [""]:
        yield LogLine(at=at, level=level, text=line)


def _traceback(detail: Any) -> Iterator[str]:
    """The exceptions of `error_detail`, as Python prints them."""
    for error in detail if isinstance(detail, list) else []:
        if not isinstance(error, dict):
            continue
        frames = [frame for frame in error.get("frames") or [] if isinstance(frame, dict)]
        if frames:
            yield "Traceback (most recent call last):"
        for frame in frames:
            yield f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
        yield f"{error.get('exc_type')}: {error.get('exc_value')}"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _fact(value: Any) -> str:
    return value if isinstance(value, str) and value and not set(value) & set(' ="') else repr(value)
