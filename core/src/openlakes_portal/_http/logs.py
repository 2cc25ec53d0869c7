"""Logging: structlog, one JSON object a line, or readable text on a terminal. No values of headers or bodies."""

import logging
import sys
from typing import Any, Literal

import structlog

from openlakes_portal._http.request_id import _current

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _add_request_id(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    request_id = _current.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def configure(format: Literal["auto", "json", "text"], level: str) -> None:
    """Set up logging for this process, the standard library's included."""
    text = format == "text" or (format == "auto" and sys.stderr.isatty())
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if text:
        # Plain tracebacks: the default shows local variables, and those hold secrets.
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), stream=sys.stderr, format="%(message)s", force=True)
