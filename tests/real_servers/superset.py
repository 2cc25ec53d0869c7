"""Superset 6.1, started as `openlakes stack` starts it, and a portal that it believes: each started once a run.

The portal signs with a key of the test's own, so that a test can also say what the portal never would.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import OKPKey

import served
from openlakes_portal_stack.components import all_components, postgresql, superset
from openlakes_portal_stack.overlay import overlay
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.stack import Stack
from openlakes_portal_stack.runner.work import Interruption
from real_servers import child


@dataclass(frozen=True)
class SupersetServer:
    """A running Superset at `address`, the portal that it believes at `portal`, and the key that both go by."""

    address: str
    portal: served.Served
    issuer: str
    key: OKPKey
    site: StackSite

    @property
    def python(self) -> Path:
        """The Python of Superset's own environment."""
        return superset.program(self.site, "python")

    def token(self, user: str, *roles: str, key: Any = None, **changed: Any) -> str:
        """A token as the portal makes them; keywords change claims, None takes one away, `alg` and `kid` the header."""
        now = int(time.time()) - 5
        claims = {"iss": self.issuer, "sub": user, "aud": "superset", "iat": now, "nbf": now, "exp": now + 300}
        header = {"alg": changed.pop("alg", "EdDSA"), "kid": changed.pop("kid", self.key.kid), "typ": "JWT"}
        said = {k: v for k, v in {**claims, "roles": list(roles), **changed}.items() if v is not None}
        with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
            return jwt.encode(header, said, key or self.key, algorithms=[header["alg"]])

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
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"})
    port = child.free_port()
    local, issuer = f"http://127.0.0.1:{port}", f"http://openlakes.localhost:{port}"
    known = all_components()
    stack = Stack(folder / "stack", known)
    record = stack.plan(["superset", *beside], portal=local, portal_issuer=issuer)
    chosen = {id: known[id] for id in record.components}
    site = StackSite(known["superset"], stack.layout, record, lambda: chosen, Interruption(), lambda id, text: None)
    settings = _merged(stack.settings(), _lakehouse(folder / "lakehouse"))
    settings["plugins"]["superset"]["databases"] |= {"duckdb": "Lakehouse (a copy in PostgreSQL)"}
    portal = _portal(folder / "portal", port, issuer, key, settings)
    try:
        ended = stack.up(lambda id, step: None, Interruption(), owner=os.getpid())
        assert set(ended.values()) == {"ready"}, (ended, stack.status())
        _wait_until_well(portal)
        yield SupersetServer(site.address, portal, issuer, _published(portal, key), site)
    finally:
        portal.process.stop()
        stack.reset()


@contextmanager
def in_path_mode(server: SupersetServer, folder: Path) -> Iterator[SupersetServer]:
    """Another portal, in path mode, and another process of the same Superset, which lives below `/apps/superset`."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"})
    port, own = child.free_port(), child.free_port()
    issuer = f"http://openlakes.localhost:{port}"
    address = f"http://127.0.0.1:{own}/apps/superset"
    settings = {"plugins": {"superset": {"address": address}}, "gateway": {"mode": "path"}}
    portal = _portal(folder / "portal", port, issuer, key, settings)
    changed = {
        "OPENLAKES_PORTAL_URL": issuer,
        "OPENLAKES_PORTAL_ISSUER": issuer,
        "OPENLAKES_PORTAL_JWKS_URL": f"http://127.0.0.1:{port}/.well-known/jwks.json",
        "OPENLAKES_PORTAL_PREFIX": "/apps/superset",
    }
    environment = {**superset.environment(server.site), **changed, "HOME": str(folder), "PATH": os.environ["PATH"]}
    process = child.start(
        superset.gunicorn(server.site, own), folder / "superset.log", env=environment, cwd=server.site.folder
    )
    try:
        portal.process.wait_until(portal.is_ready, 60)
        process.wait_until(lambda: _answers(f"{address}/health"), 120)
        _wait_until_well(portal)
        yield SupersetServer(address, portal, issuer, _published(portal, key), server.site)
    finally:
        process.stop()
        portal.process.stop()


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


def _portal(folder: Path, port: int, issuer: str, key: OKPKey, settings: Mapping[str, Any]) -> served.Served:
    folder.mkdir()
    pem = folder / "issuer.pem"
    pem.write_bytes(key.as_pem(private=True))
    fixed = {
        "auth": {"mode": "demo", "issuer": {"keys": [{"file": str(pem)}]}},
        "server": {"public_url": issuer, "port": port, "data_dir": str(folder / "data")},
    }
    file = folder / "settings.json"
    file.write_text(json.dumps({**fixed, **settings}))
    command: list[str | Path] = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", file]
    return served.Served(f"http://127.0.0.1:{port}", child.start(command, folder / "portal.log", cwd=folder))


def _published(portal: served.Served, key: OKPKey) -> OKPKey:
    """The test's own key under the name that the portal publishes it by."""
    own = key.as_dict(private=True)
    (kid,) = (one["kid"] for one in portal.ask("/.well-known/jwks.json").json()["keys"] if one.get("x") == own["x"])
    return OKPKey.import_key({**own, "kid": kid})


def _wait_until_well(portal: served.Served) -> None:
    """Until the portal knows that Superset answers."""
    portal.process.wait_until(portal.is_ready, 60)
    signed_in = portal.sign_in("platform-admin")

    def is_well() -> bool:
        items = portal.ask("/api/components", headers=signed_in).json()["items"]
        return {one["state"] for one in items if one["plugin"] == "superset"} == {"healthy"}

    portal.process.wait_until(is_well, 60)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True
