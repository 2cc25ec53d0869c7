"""Airflow 3.3, started as `openlakes stack` starts it, and a portal that it believes: each started once a run.

The portal signs with a key of the test's own, so that a test can also say what the portal never would.
"""

import json
import os
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
from openlakes_portal_stack.components import airflow, all_components
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.stack import Stack
from openlakes_portal_stack.runner.work import Interruption
from real_servers import child

LINES = '''\
"""Writes lines, slowly, and fails where it is asked to. For Airflow, which looks for the word dag."""
import time
from datetime import UTC, datetime, timedelta

from airflow.sdk import Param, dag, task


@dag(
    dag_id="lines",
    description="Writes lines",
    schedule=timedelta(days=1),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={
        "lines": Param(3, type="integer", minimum=1),
        "wide": Param(0, type="integer", description="Lines of a thousand characters that follow, without a pause"),
        "fail": Param(False, type="boolean"),
    },
    tags=["openlakes"],
)
def lines():
    @task
    def write(params=None):
        for number in range(params["lines"]):
            print(f"line {number} of {params['lines']}")
            time.sleep(0.5)
        for number in range(params["wide"]):
            print(f"wide {number} {'.' * 1000}")
        if params["fail"]:
            raise ValueError("made to fail")

    @task
    def count():
        print("counted")

    write() >> count()


lines()
'''


@dataclass(frozen=True)
class AirflowServer:
    """A running Airflow at `address`, the portal that it believes at `portal`, and the key that both go by."""

    address: str
    portal: served.Served
    issuer: str
    key: OKPKey
    site: StackSite

    @property
    def command(self) -> Path:
        """The program `airflow`."""
        return airflow.command(self.site)

    @property
    def upstream(self) -> str:
        """The folder from which Airflow imports the plugin's part."""
        return airflow.environment(self.site)["PYTHONPATH"]

    def token(self, user: str, *roles: str, key: OKPKey | None = None, **changed: Any) -> str:
        """A token as the portal makes them; keywords change claims, None takes one away, `alg` and `kid` the header."""
        now = int(time.time()) - 5
        claims = {"iss": self.issuer, "sub": user, "aud": "airflow", "iat": now, "nbf": now, "exp": now + 300}
        header = {"alg": changed.pop("alg", "EdDSA"), "kid": changed.pop("kid", self.key.kid), "typ": "JWT"}
        said = {k: v for k, v in {**claims, "roles": list(roles), **changed}.items() if v is not None}
        with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
            return jwt.encode(header, said, key or self.key, algorithms=[header["alg"]])

    def ask(
        self, path: str, token: str | None = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> served.Answer:
        """Ask Airflow itself, without the portal."""
        proof = {} if token is None else {"Authorization": f"Bearer {token}"}
        return served.Served(self.address, self.portal.process).ask(path, body, {**proof, **(headers or {})})


@contextmanager
def running(folder: Path) -> Iterator[AirflowServer]:
    """Both of them, with the DAG `lines` and the tables of the lakehouse; their state lies in `folder`."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"})
    port = child.free_port()
    local, issuer = f"http://127.0.0.1:{port}", f"http://openlakes.localhost:{port}"
    known = all_components()
    stack = Stack(folder / "stack", known)
    record = stack.plan(["airflow", "seaweedfs"], portal=local, portal_issuer=issuer)
    chosen = {id: known[id] for id in record.components}
    site = StackSite(known["airflow"], stack.layout, record, lambda: chosen, Interruption(), lambda id, text: None)
    (site.folder / "dags").mkdir()
    (site.folder / "dags" / "lines.py").write_text(LINES)
    portal = _portal(folder / "portal", port, issuer, key, stack.settings())
    try:
        ended = stack.up(lambda id, step: None, Interruption(), owner=os.getpid())
        assert set(ended.values()) == {"ready"}, (ended, stack.status())
        _wait_until_well(portal)
        yield AirflowServer(site.address, portal, issuer, _published(portal, key), site)
    finally:
        portal.process.stop()
        stack.reset()


@contextmanager
def in_path_mode(server: AirflowServer, folder: Path) -> Iterator[AirflowServer]:
    """Another portal, in path mode, and another API server of the same Airflow, which lives below `/apps/airflow`."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"})
    port, own = child.free_port(), child.free_port()
    issuer = f"http://openlakes.localhost:{port}"
    address = f"http://127.0.0.1:{own}"
    settings = {"plugins": {"airflow_dbt": {"address": address, "timeout": 30.0}}, "gateway": {"mode": "path"}}
    portal = _portal(folder / "portal", port, issuer, key, settings)
    changed = {
        "AIRFLOW__API__PORT": str(own),
        "AIRFLOW__API__BASE_URL": f"{issuer}/apps/airflow/",
        "AIRFLOW__OPENLAKES_PORTAL__ISSUER": issuer,
        "AIRFLOW__OPENLAKES_PORTAL__JWKS_URL": f"http://127.0.0.1:{port}/.well-known/jwks.json",
    }
    environment = {**airflow.environment(server.site), **changed, "HOME": str(folder)}
    command: list[str | Path] = [airflow.command(server.site), "api-server"]
    process = child.start(command, folder / "api-server.log", env=environment, cwd=folder)
    try:
        portal.process.wait_until(portal.is_ready, 60)
        process.wait_until(lambda: _answers(f"{address}/api/v2/version"), 120)
        _wait_until_well(portal)
        yield AirflowServer(address, portal, issuer, _published(portal, key), server.site)
    finally:
        process.stop()
        portal.process.stop()


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
    """Until the portal knows that Airflow and its processes answer."""
    portal.process.wait_until(portal.is_ready, 60)
    signed_in = portal.sign_in("platform-admin")

    def is_well() -> bool:
        items = portal.ask("/api/components", headers=signed_in).json()["items"]
        return {one["state"] for one in items if one["plugin"] == "airflow_dbt"} == {"healthy"}

    portal.process.wait_until(is_well, 60)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True
