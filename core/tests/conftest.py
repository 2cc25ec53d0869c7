"""Shared by core's tests: plugins written on the fly, each as a stranger would ship it."""

import importlib
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from machine_clock import MachineClock
from openlakes_portal._host.discovery import Candidate
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.migrate import migrate
from openlakes_portal.testing import candidate_for

HEAD = """
from pydantic import BaseModel, Field, SecretStr
from openlakes_portal.spi import *
from openlakes_portal.spi import hookimpl
READ = Permission("{id}:thing:read", "See things", roles=("viewer", "data-engineer"))
"""
MANIFEST = """
@hookimpl
def plugin_manifest():
    return PluginManifest(id="{id}", title="{id}", contract="1.0")
@hookimpl
def register_permissions(context):
    return [READ]
"""

WritePlugin = Callable[..., Candidate]


@pytest.fixture
def write_plugin(tmp_path: Path) -> Iterator[WritePlugin]:
    """`write_plugin("acme", source)`: a module of that source as an installed plugin. The head imports the SPI and
    defines READ; the manifest is added unless `manifest=False`."""
    folder = tmp_path / "site"
    folder.mkdir()
    sys.path.insert(0, str(folder))
    written: list[str] = []

    def write(plugin_id: str, source: str = "", *, manifest: bool = True) -> Candidate:
        name = f"written_{plugin_id.replace('-', '_')}_{len(written)}"
        body = HEAD + (MANIFEST if manifest else "")
        (folder / f"{name}.py").write_text(body.replace("{id}", plugin_id) + textwrap.dedent(source))
        importlib.invalidate_caches()
        written.append(name)
        return candidate_for(plugin_id, name)

    yield write
    sys.path.remove(str(folder))
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> MachineClock:
    """The clock of the portal's machine, to be set; right at first."""
    return MachineClock(monkeypatch)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield database_url(None, tmp_path)
    else:
        yield database_url(request.getfixturevalue("postgres_url"), tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A migrated database."""
    opened = Database(url)
    await migrate(opened)
    yield opened
    await opened.close()
