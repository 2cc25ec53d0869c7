"""How a call of the fake provider is answered: late, wrong, cut off, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Self

from openlakes_portal.testing._identity.wire import json_reply
from openlakes_portal.testing.loopback import Reply


class Behaviour:
    """How a call is answered from now on, until `recovers`; or `once()`, or `times(n)`.

    `waits` and `loses_the_answer` do the work; the others answer instead of doing it.
    """

    def __init__(self) -> None:
        self.recovers()

    def recovers(self) -> None:
        """Be right again."""
        self._wait = 0.0
        self._instead: Reply | None = None
        self._lost = False
        self._cut: int | None = None
        self._padding = 0
        self._left: int | None = None

    def answers(self, value: Any, status: int = 200) -> Self:
        """Answer with this JSON."""
        return self._set(json_reply(value, status))

    def answers_raw(self, body: bytes, content_type: str, status: int = 200) -> Self:
        """Answer with these bytes."""
        return self._set(Reply(status, body, (("content-type", content_type),)))

    def fails(self, status: int = 500) -> Self:
        """Answer with an error page."""
        return self.answers_raw(b"<html>made to fail</html>", "text/html", status)

    def refuses(self, error: str, status: int = 400, description: str = "made to refuse") -> Self:
        """Answer with an error of OAuth (RFC 6749, 5.2)."""
        return self.answers({"error": error, "error_description": description}, status)

    def redirects(self, location: str, status: int = 302) -> Self:
        """Send the caller elsewhere."""
        return self._set(Reply(status, b"", (("location", location),)))

    def resets(self) -> Self:
        """Close the connection without work and without an answer."""
        return self._set(Reply(cut_after=0))

    def hangs(self) -> Self:
        """Neither work nor answer; the caller waits as long as it likes."""
        self._wait = 3600.0
        return self.resets()

    def loses_the_answer(self) -> Self:
        """Do the work (a refresh token is rotated, a code is used), then close the connection without an answer."""
        self._lost = True
        return self

    def breaks_off(self, after: int) -> Self:
        """Do the work, then close the connection in the middle of the body."""
        self._cut = after
        return self

    def pads(self, size: int) -> Self:
        """Do the work, and add white space to the answer, to so many bytes: a huge body that is valid JSON."""
        self._padding = size
        return self

    def waits(self, seconds: float) -> Self:
        """Let the caller wait first."""
        self._wait = seconds
        return self

    def once(self) -> Self:
        """Only the next time."""
        return self.times(1)

    def times(self, count: int) -> Self:
        """Only so many times."""
        self._left = count
        return self

    def _set(self, reply: Reply) -> Self:
        self._instead = reply
        return self

    async def perform(self, work: Callable[[], Awaitable[Reply]]) -> Reply:
        """Answer one call (for the provider)."""
        if self._left == 0:
            return await work()
        if self._left is not None:
            self._left -= 1
        lost, cut, padding, instead = self._lost, self._cut, self._padding, self._instead
        await asyncio.sleep(self._wait)
        reply = instead or await work()
        if len(reply.body) < padding:
            reply = replace(reply, body=reply.body.ljust(padding))
        return replace(reply, cut_after=0 if lost else cut) if lost or cut is not None else reply
