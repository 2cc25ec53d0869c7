"""Sign-ins a second at real identity providers, beside the same flow by a client that keeps nothing and checks nothing.

Four persons at a time, each with a fresh browser and a password typed into the provider's form. The bare client redeems
the code and looks no further; the portal checks the ID token, asks for what is missing in it, keeps the session and
writes the audit log.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from core.tests.identity import keycloak, oidc_provider
from core.tests.identity.contract import PEOPLE, Provider
from core.tests.identity.relying_party import relying_party

from bench import databases, servers
from bench.figures import ROUNDS, Figure, median_of_pairs
from bench.people import come_in, oidc_settings
from openlakes_portal_stack.runner.component import LeftOut

EACH = 4
"""Sign-ins of each person in a round."""

SignIn = Callable[[str], Awaitable[object]]


def measure(folder: Path) -> Iterator[Figure]:
    """At node's oidc-provider and at Keycloak, with the portal on both databases."""
    with tempfile.TemporaryDirectory(dir=folder) as name, oidc_provider.running(Path(name)) as provider:
        yield from _at(folder / "node", "oidc-provider", provider)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        try:
            with keycloak.running(Path(name)) as running:
                yield from _at(folder / "keycloak", f"Keycloak {keycloak.VERSION}", running)
        except LeftOut as reason:
            print(f"sign-ins at Keycloak are not measured: {reason}")


def _at(folder: Path, provider_name: str, provider: Provider) -> Iterator[Figure]:
    with databases.both(folder) as urls, ExitStack() as stack:
        portals = {
            name: stack.enter_context(servers.portal(folder / name, {}, oidc_settings(provider, url)))
            for name, url in urls.items()
        }
        rounds = asyncio.run(_rounds(provider, list(portals.values())))
    for index, name in enumerate(urls, 1):
        ratio = median_of_pairs(rounds, index, 0)
        yield Figure("sign-ins", f"sign-ins a second at {provider_name}, {name} / a bare client's", ratio)


async def _rounds(provider: Provider, portals: list[servers.Running]) -> list[tuple[float, ...]]:
    async with AsyncExitStack() as stack:
        party = await stack.enter_async_context(relying_party(provider))
        ways: list[SignIn] = [party.sign_in]
        ways += [lambda username, portal=portal: come_in(portal, provider, username) for portal in portals]  # type: ignore[misc]
        for way in ways:
            await _rate(way, 1)  # whatever is fetched once is fetched now
        return [tuple([await _rate(way, EACH) for way in ways]) for _ in range(ROUNDS)]


async def _rate(way: SignIn, each: int) -> float:
    """Sign-ins a second, everybody at once and each person one after the other."""

    async def person(username: str) -> None:
        for _ in range(each):
            await way(username)

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for username in PEOPLE:
            group.create_task(person(username))
    return len(PEOPLE) * each / (time.perf_counter() - begin)
