"""The pytest fixtures. Loaded by pytest itself (entry point `pytest11`), so nothing heavy is imported here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

F = TypeVar("F", bound=Callable[..., Any])


def async_fixture(function: F) -> F:
    """A fixture that is awaited; without pytest-asyncio it is known all the same, and pytest says what it needs."""
    try:
        from pytest_asyncio import fixture
    except ImportError:
        return cast(F, pytest.fixture(function))
    return cast(F, fixture(function))


if TYPE_CHECKING:
    from openlakes_portal._host.discovery import Candidate
    from openlakes_portal.testing.portal import PortalUnderTest
    from openlakes_portal.testing.upstream import FakeUpstream


@async_fixture
async def upstream() -> "AsyncIterator[Callable[[str], FakeUpstream]]":
    """`upstream("billing")`: a fake system on loopback, the same one for the same name; `.address` for settings."""
    from openlakes_portal.testing.upstream import FakeUpstream

    fakes: dict[str, FakeUpstream] = {}
    loop = asyncio.get_running_loop()  # also used by sync fixtures, in which no loop runs

    def make(name: str) -> FakeUpstream:
        if name not in fakes:
            fakes[name] = FakeUpstream(name)
            fakes[name].begin(loop)
        return fakes[name]

    yield make
    for fake in fakes.values():
        await fake.stop()


@pytest.fixture
def portal_settings() -> dict[str, Any]:
    """Settings of the portal under test, as they would stand in the file. Override it in conftest.py."""
    return {}


@pytest.fixture
def portal_plugins() -> "Iterable[Candidate] | None":
    """Which plugins the portal under test has: None for every installed one. Override it for others."""
    return None


@async_fixture
async def portal(
    tmp_path: Path, portal_settings: dict[str, Any], portal_plugins: "Iterable[Candidate] | None"
) -> "AsyncIterator[PortalUnderTest]":
    """A running portal: `portal.signed_in("bi-analyst")`, `portal.anonymous`."""
    from openlakes_portal.testing.portal import portal_for

    async with portal_for(tmp_path / "portal", portal_settings, portal_plugins) as running:
        yield running
