"""Health of components: a check says the state, and where it is not well, the cause and the remedy in words."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

State = Literal["healthy", "degraded", "down", "missing", "starting", "unknown"]
"""`missing` is a state of its own: something that should be there is not, although nothing answers wrongly."""

STATES: tuple[str, ...] = get_args(State)
CHECK_NAME = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")


@dataclass(frozen=True)
class HealthReport:
    """What a check found. Use the constructors: `HealthReport.healthy(version="476")`, `.down(cause, remedy)`."""

    state: State
    cause: str | None = None
    remedy: str | None = None
    details: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"health state {self.state!r} is not one of {', '.join(STATES)}")
        if self.state in ("degraded", "down", "missing") and not self.cause:
            raise ValueError(f"a {self.state} report needs a cause in words")

    @classmethod
    def healthy(cls, **details: str) -> "HealthReport":
        """All is well; details (a version, a number) are shown beside it."""
        return cls("healthy", details=details)

    @classmethod
    def degraded(cls, cause: str, remedy: str | None = None, **details: str) -> "HealthReport":
        """It works, but not as it should."""
        return cls("degraded", cause, remedy, details)

    @classmethod
    def down(cls, cause: str, remedy: str | None = None, **details: str) -> "HealthReport":
        """It is there and does not work."""
        return cls("down", cause, remedy, details)

    @classmethod
    def missing(cls, cause: str, remedy: str | None = None, **details: str) -> "HealthReport":
        """It should be there and is not."""
        return cls("missing", cause, remedy, details)

    @classmethod
    def starting(cls, cause: str | None = None, **details: str) -> "HealthReport":
        """It is on its way."""
        return cls("starting", cause, details=details)


@dataclass(frozen=True)
class HealthCheck:
    """A component and how to ask it. Errors of the SPI's vocabulary that `check` raises become `down` with their
    words; a check that takes longer than `timeout` seconds, raises anything else or spins is `degraded` or `down` on
    its own tile and harms nobody. `interval` is the time between two checks in seconds; core adds jitter. `address` is
    that of the system it asks: while a `Deployment` says that this system is on its way, the tile says so too."""

    name: str
    check: Callable[[], Awaitable[HealthReport]]
    timeout: float = 2.0
    interval: float = 4.0
    title: str | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if not CHECK_NAME.match(self.name):
            raise ValueError(f"health check name {self.name!r} is not lower-case words joined by '-'")
        if not 0 < self.timeout <= 60:
            raise ValueError(f"health check {self.name!r}: timeout must be between 0 and 60 seconds")
        if not 0.5 <= self.interval <= 3600:
            raise ValueError(f"health check {self.name!r}: interval must be between 0.5 and 3600 seconds")
