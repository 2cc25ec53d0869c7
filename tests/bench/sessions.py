"""P5 and P10 with sessions of people who signed in at an identity provider, on both databases."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import structlog
from core.tests.identity.portal import OidcPortal, Visitor, portal_with

from bench import databases, servers
from bench.figures import ROUNDS, Figure, median_of_pairs
from bench.people import VIEWERS, oidc_settings, sign_in
from openlakes_portal.testing import candidate_for
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson

PATH = "/api/plugins/acme-one/things0"
WARM = 200
"""Requests within the life of a cached session."""
SUSTAINED = 6.0
"""Seconds: the cache's life three times over."""


def measure(folder: Path) -> Iterator[Figure]:
    """An API route with a real session beside raw ASGI, and the statements that a warm request sends."""
    with FakeIdentityProvider(FakePerson("vera", groups=[VIEWERS])) as provider:
        with databases.both(folder) as urls:
            yield from _costs(folder, provider, urls)
        with databases.both(folder / "counted") as urls:
            sys.path.insert(0, str(servers.site(folder / "site", {"acme-one": 1})))
            for name, url in urls.items():
                yield from asyncio.run(_queries(folder / f"in-process-{name}", provider, name, url))


def _costs(folder: Path, provider: FakeIdentityProvider, urls: dict[str, str]) -> Iterator[Figure]:
    with ExitStack() as stack:
        raw = stack.enter_context(servers.raw(folder / "raw"))
        asked = [(raw, raw.request("/"))]
        for name, url in urls.items():
            settings = oidc_settings(provider, url)
            portal = stack.enter_context(servers.portal(folder / name, {"acme-one": 1}, settings))
            vera = asyncio.run(sign_in(portal, provider, "vera"))
            asked.append((portal, portal.request(PATH, vera.cookie)))
        rounds = [tuple(servers.load(*each) for each in asked) for _ in range(ROUNDS)]
    for index, name in enumerate(urls, 1):
        what = f"API route with a provider's session, {name} / raw ASGI, requests a second"
        yield Figure("P5", what, median_of_pairs(rounds, index, 0), 0.4, True)


async def _queries(folder: Path, provider: FakeIdentityProvider, name: str, url: str) -> list[Figure]:
    """Counted in this process, because a statement of a request and one in the background must be told apart."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with _signed_in(folder, provider, url) as (portal, vera):
        database = portal.portal.database
        await _get(vera)
        before = database.queries
        for _ in range(WARM):
            await _get(vera)
        warm = database.queries - before
        before, asked, begin = database.queries, 0, time.monotonic()
        while time.monotonic() - begin < SUSTAINED:
            await _get(vera)
            asked += 1
        sustained = (database.queries - before) / (time.monotonic() - begin)
    return [
        Figure("P10", f"database queries of {WARM} warm requests, {name}", warm, 0),
        Figure("P10", f"database queries a second of a session in use, {asked} requests, {name}", sustained),
    ]


@asynccontextmanager
async def _signed_in(
    folder: Path, provider: FakeIdentityProvider, url: str
) -> AsyncIterator[tuple[OidcPortal, Visitor]]:
    settings = {"rbac": oidc_settings(provider, url)["rbac"], "limits": {"rate": 1e6, "burst": 10**6}}
    candidates = [candidate_for("acme-one", "acme_one")]
    async with portal_with(provider, folder, settings, url, candidates) as portal, portal.visitor() as vera:
        await vera.sign_in("vera")
        yield portal, vera


async def _get(vera: Visitor) -> None:
    (await vera.client.get(PATH)).raise_for_status()
