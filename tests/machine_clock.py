"""The wall clock of the machine that a portal runs on, as a test sets it: NTP steps it, somebody sets it wrongly.

Only wall clocks move. What a process measures by the monotonic clock goes on, as it does when a real clock is set.
"""

import time
from datetime import datetime, tzinfo

import pytest

from openlakes_portal._store import clock


class MachineClock:
    """`ahead`: seconds by which the portal's clock is before the true one, negative for behind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        self.true = time.time
        true_nanoseconds = time.time_ns
        machine = self

        class Moved(datetime):
            """What `now` asks."""

            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.fromtimestamp(machine.true() + machine.ahead, tz)

        monkeypatch.setattr(clock, "datetime", Moved)
        monkeypatch.setattr(time, "time", lambda: self.true() + self.ahead)
        monkeypatch.setattr(time, "time_ns", lambda: true_nanoseconds() + int(self.ahead * 1e9))

    def now(self) -> datetime:
        """What the portal takes for the time."""
        return clock.now()
