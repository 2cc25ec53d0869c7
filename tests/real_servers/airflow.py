"""Airflow 3.3, started as `openlakes stack` starts it, and a portal that it believes: each started once a run.

The portal signs with a key of the test's own, so that a test can also say what the portal never would.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import served
from openlakes_portal_stack.components import airflow, all_components
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.stack import Stack
from openlakes_portal_stack.runner.work import Interruption
from real_servers import child
from real_servers.believed import Believing, Claimed, answering

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
class AirflowServer(Believing):
    """A running Airflow."""

    audience = "airflow"

    @property
    def command(self) -> Path:
        """The program `airflow`."""
        return airflow.command(self.site)

    @property
    def upstream(self) -> str:
        """The folder from which Airflow imports the plugin's part."""
        return airflow.environment(self.site)["PYTHONPATH"]

    def ask(
        self, path: str, token: str | None = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> served.Answer:
        """Ask Airflow itself, without the portal."""
        proof = {} if token is None else {"Authorization": f"Bearer {token}"}
        return served.Served(self.address, self.portal.process).ask(path, body, {**proof, **(headers or {})})


@contextmanager
def running(folder: Path) -> Iterator[AirflowServer]:
    """Both of them, with the DAG `lines` and the tables of the lakehouse; their state lies in `folder`."""
    claimed = Claimed()
    known = all_components()
    stack = Stack(folder / "stack", known)
    record = stack.plan(["airflow", "seaweedfs"], portal=claimed.local, portal_issuer=claimed.issuer)
    chosen = {id: known[id] for id in record.components}
    site = StackSite(known["airflow"], stack.layout, record, lambda: chosen, Interruption(), lambda id, text: None)
    (site.folder / "dags").mkdir()
    (site.folder / "dags" / "lines.py").write_text(LINES)
    with claimed.started(folder / "portal", stack.settings()) as portal:
        try:
            ended = stack.up(lambda id, step: None, Interruption(), owner=os.getpid())
            assert set(ended.values()) == {"ready"}, (ended, stack.status())
            yield AirflowServer(
                site.address, portal, claimed.issuer, claimed.published_key(portal, "airflow_dbt"), site
            )
        finally:
            stack.reset()


@contextmanager
def in_path_mode(server: AirflowServer, folder: Path) -> Iterator[AirflowServer]:
    """Another portal, in path mode, and another API server of the same Airflow, which lives below `/apps/airflow`."""
    claimed, own = Claimed(), child.free_port()
    address = f"http://127.0.0.1:{own}"
    settings = {"plugins": {"airflow_dbt": {"address": address, "timeout": 30.0}}, "gateway": {"mode": "path"}}
    changed = {
        "AIRFLOW__API__PORT": str(own),
        "AIRFLOW__API__BASE_URL": f"{claimed.issuer}/apps/airflow/",
        "AIRFLOW__OPENLAKES_PORTAL__ISSUER": claimed.issuer,
        "AIRFLOW__OPENLAKES_PORTAL__JWKS_URL": f"{claimed.local}/.well-known/jwks.json",
    }
    environment = {**airflow.environment(server.site), **changed, "HOME": str(folder)}
    command: list[str | Path] = [airflow.command(server.site), "api-server"]
    with claimed.started(folder / "portal", settings) as portal:
        process = child.start(command, folder / "api-server.log", env=environment, cwd=folder)
        try:
            process.wait_until(answering(f"{address}/api/v2/version"), 120)
            yield AirflowServer(
                address, portal, claimed.issuer, claimed.published_key(portal, "airflow_dbt"), server.site
            )
        finally:
            process.stop()
