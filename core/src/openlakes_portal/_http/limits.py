"""Limits of rate and of open streams. Keys are sessions or peer addresses, never what a header claims."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openlakes_portal.spi import Limited

MAX_KEYS = 20_000
HOT = 0.75
"""A key with less than this part of its burst left is told to the other replicas."""


class TokenBuckets:
    """A token bucket for each key: `rate` a second, `burst` at once. The least used keys are forgotten first."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._hot = burst * HOT
        self._told: set[str] = set()
        """Keys that are near their limit: the other replicas are told what they use."""
        self._used: dict[str, float] = {}
        """What they have used and nobody was told of yet."""

    def take(self, key: str) -> None:
        """Take one token; raises `Limited` with the time until there is one."""
        moment = self._clock()
        tokens, at = self._buckets.get(key, (self._burst, moment))
        tokens = min(self._burst, tokens + (moment - at) * self._rate)
        if tokens < 1:
            wait = (1 - tokens) / self._rate
            raise Limited(
                "Too many requests at once.", retry_after=wait, remedy=f"Try again in {max(1, round(wait))} s."
            )
        self._buckets[key] = (tokens - 1, moment)
        if tokens > self._hot:
            self._told.discard(key)
        elif key in self._told:
            self._used[key] = self._used.get(key, 0) + 1
        else:
            self._told.add(key)
            self._used[key] = self._burst - tokens + 1  # all that it used up before it was anybody's business
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            forgotten, _ = self._buckets.popitem(last=False)
            self._told.discard(forgotten)

    def take_hot(self, most: int) -> dict[str, float]:
        """What keys near their limit have used since the last time, be it nothing; the busiest, at most so many."""
        used, self._used = self._used, {}
        moment = self._clock()
        for key in self._told - set(used):
            tokens, at = self._buckets[key]
            if tokens + (moment - at) * self._rate > self._hot:
                self._told.discard(key)
            else:
                used[key] = 0.0
        return dict(sorted(used.items(), key=lambda item: -item[1])[:most])

    def take_off(self, key: str, tokens: float) -> None:
        """Another replica has let so many through."""
        moment = self._clock()
        held, at = self._buckets.get(key, (self._burst, moment))
        left = min(self._burst, held + (moment - at) * self._rate) - tokens
        self._buckets[key] = (max(-self._burst, left), moment)
        self._told.add(key)  # what is missing now is not what was used here


class StreamCounter:
    """Open streams of each person."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Streams that are open now."""
        return sum(self._open.values())

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Count one stream while it is open; raises `Limited` beyond the most."""
        held = self._open.get(key, 0)
        if held >= self._most:
            raise Limited(f"You have {held} streams open; {self._most} are allowed.", remedy="Close other tabs.")
        self._open[key] = held + 1
        try:
            yield
        finally:
            left = self._open[key] - 1
            if left:
                self._open[key] = left
            else:
                del self._open[key]
