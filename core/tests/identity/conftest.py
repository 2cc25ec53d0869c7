"""Fixtures over the identity providers: real ones start once a run, a fake is each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from openlakes_portal._store.database import database_url
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson
from openlakes_portal_stack.runner.component import LeftOut

from . import keycloak as keycloak_server
from . import oidc_provider as node_server
from .contract import Provider
from .keycloak import Keycloak
from .oidc_provider import NodeProvider


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """A running Keycloak 26.7.3 with the realm `openlakes`; skipped only where it cannot be fetched."""
    try:
        with keycloak_server.running(tmp_path_factory.mktemp("keycloak")) as running:
            yield running
    except LeftOut as reason:
        pytest.skip(f"no real Keycloak here: {reason}")


@pytest.fixture(scope="session")
def node_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProvider]:
    """A running oidc-provider of node."""
    with node_server.running(tmp_path_factory.mktemp("node-provider")) as running:
        yield running


@pytest.fixture
def fake_provider() -> Iterator[FakeIdentityProvider]:
    """A fake of this test's own, with the same people as the real ones."""
    people = (
        FakePerson("alice", groups=["/platform/admins", "/data/engineers"]),
        FakePerson("bob", groups=["/data/analysts"], audiences=("notebooks",)),
        FakePerson("carol", groups=["/data/engineers"]),
        FakePerson("dave", audiences=("notebooks",)),
    )
    with FakeIdentityProvider(*people) as provider:
        yield provider


@pytest.fixture(
    params=[
        "fake_provider",
        pytest.param("node_provider", marks=pytest.mark.server),
        pytest.param("keycloak", marks=pytest.mark.server),
    ]
)
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each provider in turn."""
    found: Provider = request.getfixturevalue(request.param)
    return found


PAIRS = [
    ("fake_provider", "sqlite"),
    pytest.param(("fake_provider", "postgresql"), marks=pytest.mark.server),
    pytest.param(("node_provider", "sqlite"), marks=pytest.mark.server),
    pytest.param(("keycloak", "postgresql"), marks=pytest.mark.server),
]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Provider, str]:
    """A provider and an empty database: the fake beside each kind, the real ones beside one each."""
    provider, kind = request.param
    url = None if kind == "sqlite" else request.getfixturevalue("postgres_url")
    found: Provider = request.getfixturevalue(provider)
    return found, database_url(url, tmp_path)
