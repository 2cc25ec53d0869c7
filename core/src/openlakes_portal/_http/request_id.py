"""The request id: made by us for each request, in every log line, answer, audit record and upstream call.

It must be unique and sort by time; it need not be unguessable, so it costs no system call.
"""

import os
import random
import time
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="")
_chance = random.Random(os.urandom(32))  # noqa: S311 - see above
os.register_at_fork(after_in_child=lambda: _chance.seed(os.urandom(32)))


def _make() -> str:
    """A UUIDv7 in spirit (RFC 9562, section 5.7): 48 bits of milliseconds, 80 of chance, as 32 hex digits."""
    return f"{time.time_ns() // 1_000_000:012x}{_chance.getrandbits(80):020x}"


def new_request_id() -> str:
    """A new id, made current for this task."""
    value = _make()
    _current.set(value)
    return value


def current_request_id() -> str:
    """The id of the request that is being served, or a fresh one outside any request."""
    return _current.get() or _make()
