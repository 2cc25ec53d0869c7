"""Superset 6.1, started as `openlakes stack` starts it, and a portal that it believes: each started once a run.

The portal signs with a key of the test's own, so that a test can also say what the portal never would.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import served
from openlakes_portal_stack.components import all_components, postgresql, superset
from openlakes_portal_stack.overlay import overlay
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.stack import Stack
from openlakes_portal_stack.runner.work import Interruption
from real_servers import child
from real_servers.believed import Believing, Claimed, answering


@dataclass(frozen=True)
class SupersetServer(Believing):
    """A running Superset."""

    audience = "superset"

    @property
    def python(self) -> Path:
        """The Python of Superset's own environment."""
        return superset.program(self.site, "python")

    def ask(
        self, path: str, token: str | None = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> served.Answer:
        """Ask Superset itself, without the portal."""
        proof = {"Accept": "application/json"}
        if token is not None:
            proof["X-OpenLakes-Identity"] = token
        return served.Served(self.address, self.portal.process).ask(path, body, {**proof, **(headers or {})})

    def write(self, path: str, token: str, body: Any) -> served.Answer:
        """Change something, as a client of Superset's API does it."""
        asked = self.ask("/api/v1/security/csrf_token/", token)
        headers = {name.lower(): value for name, value in asked.headers.items()}
        proof = {"X-CSRFToken": asked.json()["result"], "Cookie": headers["set-cookie"].split(";")[0]}
        return self.ask(path, token, body, proof)

    def sql(self, statement: str) -> list[list[str]]:
        """What stands in Superset's own records: rows of a query of its metadata."""
        store = self.site.of("postgresql")
        place = ["-h", "127.0.0.1", "-p", str(store.ports["sql"]), "-U", "superset", "superset"]
        told = {"PGPASSWORD": self.site.secret("database")}
        words: list[str | Path] = [postgresql.binaries(store) / "psql", "-XAtq", "-F", "\t", *place]
        printed = self.site.run(words, told, text=statement).strip()
        return [line.split("\t") for line in printed.splitlines()]


@contextmanager
def running(folder: Path, *beside: str) -> Iterator[SupersetServer]:
    """Both of them, and components `beside` them; their state lies in `folder`. With Trino and SeaweedFS the dashboard
    of the flights reads the lakehouse, else a copy in PostgreSQL."""
    claimed = Claimed()
    known = all_components()
    stack = Stack(folder / "stack", known)
    record = stack.plan(["superset", *beside], portal=claimed.local, portal_issuer=claimed.issuer)
    chosen = {id: known[id] for id in record.components}
    site = StackSite(known["superset"], stack.layout, record, lambda: chosen, Interruption(), lambda id, text: None)
    settings = _merged(stack.settings(), _lakehouse(folder / "lakehouse"))
    settings["plugins"]["superset"]["databases"] |= {"duckdb": "Lakehouse (a copy in PostgreSQL)"}
    with claimed.started(folder / "portal", settings) as portal:
        try:
            ended = stack.up(lambda id, step: None, Interruption(), owner=os.getpid())
            assert set(ended.values()) == {"ready"}, (ended, stack.status())
            yield SupersetServer(site.address, portal, claimed.issuer, claimed.published_key(portal, "superset"), site)
        finally:
            stack.reset()


@contextmanager
def in_path_mode(server: SupersetServer, folder: Path) -> Iterator[SupersetServer]:
    """Another portal, in path mode, and another process of the same Superset, which lives below `/apps/superset`."""
    claimed, own = Claimed(), child.free_port()
    address = f"http://127.0.0.1:{own}/apps/superset"
    settings = {"plugins": {"superset": {"address": address}}, "gateway": {"mode": "path"}}
    changed = {
        "OPENLAKES_PORTAL_URL": claimed.issuer,
        "OPENLAKES_PORTAL_ISSUER": claimed.issuer,
        "OPENLAKES_PORTAL_JWKS_URL": f"{claimed.local}/.well-known/jwks.json",
        "OPENLAKES_PORTAL_PREFIX": "/apps/superset",
    }
    environment = {**superset.environment(server.site), **changed, "HOME": str(folder), "PATH": os.environ["PATH"]}
    with claimed.started(folder / "portal", settings) as portal:
        command = superset.gunicorn(server.site, own)
        process = child.start(command, folder / "superset.log", env=environment, cwd=server.site.folder)
        try:
            process.wait_until(answering(f"{address}/health"), 120)
            yield SupersetServer(
                address, portal, claimed.issuer, claimed.published_key(portal, "superset"), server.site
            )
        finally:
            process.stop()


def _lakehouse(folder: Path) -> dict[str, Any]:
    """The demo's lakehouse, for the embedded engine: its part of the portal's settings."""
    folder.mkdir()
    command: list[str | Path] = [sys.executable, "-I", "-m", "openlakes_portal_stack.lakehouse", folder]
    # It ends when its standard input closes.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.wait(120) == 0
    return dict(overlay(folder))


def _merged(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "plugins": {**one.get("plugins", {}), **other.get("plugins", {})}}
