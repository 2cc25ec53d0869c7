"""The one source of time and of sortable ids, so that tests can move it."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def timestamp() -> float:
    """The same as seconds since 1970, as tokens state it (RFC 7519, `NumericDate`)."""
    return now().timestamp()


def sortable_id() -> str:
    """A UUIDv7 in spirit (RFC 9562, section 5.7): 48 bits of milliseconds, 20 of the nanoseconds in them (section 6.2,
    method 3: what is made one after the other in a millisecond keeps its order), 60 of chance, as 32 hex digits."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    return f"{milliseconds:012x}{nanoseconds:05x}{secrets.randbits(60):015x}"
