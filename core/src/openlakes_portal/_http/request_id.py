"""The request id: made by us for each request, in every log line, answer, audit record and upstream call."""

from contextvars import ContextVar

from openlakes_portal._store.clock import sortable_id

_current: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    """A new id, made current for this task."""
    value = sortable_id()
    _current.set(value)
    return value


def current_request_id() -> str:
    """The id of the request that is being served, or a fresh one outside any request."""
    return _current.get() or sortable_id()
