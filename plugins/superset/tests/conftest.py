"""Fixtures: a portal with this plugin alone, before a Superset that says what the test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openlakes_portal.testing import FakeUpstream, PortalUnderTest, candidate_for, portal_for

OpenPortal = Callable[..., Awaitable[PortalUnderTest]]
ONLY_THIS = [candidate_for("superset", "openlakes_portal_superset.plugin")]


@pytest_asyncio.fixture
async def open_portal(tmp_path: Path) -> AsyncIterator[OpenPortal]:
    """`await open_portal(address, **settings)`: a portal with this plugin alone."""
    async with AsyncExitStack() as stack:

        async def make(address: str | None, **settings: Any) -> PortalUnderTest:
            given = {"plugins": {"superset": {"address": address, "timeout": 5.0, **settings}}}
            return await stack.enter_async_context(portal_for(tmp_path / "portal", given, ONLY_THIS))

        yield make


@pytest.fixture
def superset(upstream: Callable[[str], FakeUpstream]) -> FakeUpstream:
    """A Superset that knows one CSRF token, with the session to it."""
    fake = upstream("superset")
    token = fake.get("/api/v1/security/csrf_token/")
    token.answers({"result": "of-this-session"})
    token.headers["set-cookie"] = "superset_session=abc.def; Expires=Fri, 27 Nov 2026 00:00:00 GMT; HttpOnly; Path=/"
    fake.get("/health").answers_raw(b"OK", "text/plain")
    fake.get("/version").answers({"version_string": "6.1.0"})
    fake.get("/api/v1/me/").answers({"msg": "Missing Authorization Header"}, 401)
    return fake


@pytest_asyncio.fixture
async def portal(open_portal: OpenPortal, superset: FakeUpstream) -> PortalUnderTest:
    """A portal before it."""
    return await open_portal(superset.address)
