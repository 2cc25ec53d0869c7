"""The whole demo: the console at once, the real components behind it, one sign-in for all, and nothing left."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

import served
from browser import chromium
from openlakes_portal_stack.components import all_components
from openlakes_portal_stack.runner.stack import Stack
from real_servers import child

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]
CONSOLE_WITHIN = 60
ALL_WITHIN = 480  # with nothing in the cache it downloads for minutes
GIBIBYTE = 1024**3
TABLES = {"flights": "distance", "weather": "wind_speed", "planes": "seats", "airports": "alt", "airlines": "1"}


class Demo:
    """`openlakes demo`, and what its components say."""

    def __init__(self, folder: Path) -> None:
        port = child.free_port()
        self.data = folder / "data"
        command = ["-m", "openlakes_portal.cli", "demo", "--port", str(port), "--data", str(self.data)]
        self.process = child.start([sys.executable, *command], folder / "demo.log", cwd=folder)
        self.portal = served.Served(f"http://127.0.0.1:{port}", self.process)
        self.host = f"openlakes.localhost:{port}"

    def components(self, headers: dict[str, str]) -> dict[str, dict[str, Any]]:
        items = self.portal.ask("/api/components", headers=headers).json()["items"]
        return {one["id"]: one for one in items}

    def sums(self, headers: dict[str, str], engine: str) -> dict[str, list[Any]]:
        """Rows and a sum of each table, as an engine tells them to a person."""
        return {table: self._figures(headers, engine, table, summed) for table, summed in TABLES.items()}

    def _figures(self, headers: dict[str, str], engine: str, table: str, summed: str) -> list[Any]:
        sql = f"SELECT count(*), round(sum({summed})) FROM lakehouse.nyc.{table}"
        query = self.portal.ask("/api/plugins/trino/queries", {"sql": sql, "engine": engine}, headers).json()
        path = f"/api/plugins/trino/queries/{query['id']}"

        def ended() -> bool:
            return self.portal.ask(path, headers=headers).json()["state"] not in ("queued", "running")

        wait_for(ended, 120)
        answer = self.portal.ask(f"{path}/results", headers={**headers, "Accept": "application/x-ndjson"})
        assert answer.status == 200, (engine, table, self.portal.ask(path, headers=headers).body)
        rows: list[Any] = json.loads(answer.body.splitlines()[1])
        return [float(value) for value in rows]


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about within {seconds} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose console answers."""
    running = Demo(tmp_path_factory.mktemp("demo"))
    try:
        running.process.wait_until(running.portal.is_ready, CONSOLE_WITHIN)
        yield running
    finally:
        running.process.stop()
        stack = Stack(running.data / "stack", all_components())
        if stack.layout.root.is_dir():
            stack.reset()


@pytest.fixture(scope="module")
def admin(demo: Demo) -> dict[str, str]:
    return person(demo, "platform-admin")


def person(demo: Demo, persona: str) -> dict[str, str]:
    """Headers of a session, good for changes too."""
    headers = demo.portal.sign_in(persona)
    return {**headers, "X-CSRF-Token": demo.portal.ask("/api/session", headers=headers).json()["csrf_token"]}


def test_the_console_is_there_first_and_says_what_is_on_its_way(demo: Demo, admin: dict[str, str]) -> None:
    seen = demo.components(admin)
    on_their_way = [one for one in seen.values() if one["state"] == "starting"]
    assert on_their_way, seen
    assert not [one for one in seen.values() if one["state"] == "down"], seen
    assert seen["trino.engine-duckdb"]["state"] in ("healthy", "unknown")


def test_every_component_becomes_healthy_within_its_memory(demo: Demo, admin: dict[str, str]) -> None:
    def all_well() -> bool:
        seen = demo.components(admin)
        failed = {id: one["cause"] for id, one in seen.items() if one["state"] in ("down", "missing")}
        assert not failed, str(failed)
        return {one["state"] for one in seen.values()} == {"healthy"}

    wait_for(all_well, ALL_WITHIN)
    told = demo.portal.ask("/api/plugins/stack/components", headers=admin).json()
    portal = sum(one.memory_info().rss for one in _family(demo.process.process.pid))
    assert 1 * GIBIBYTE < told["memory"] + portal < 8 * GIBIBYTE


def test_trino_and_the_embedded_engine_tell_the_same_rows_and_sums(demo: Demo) -> None:
    engineer = person(demo, "data-engineer")
    trino = demo.sums(engineer, "trino")
    assert trino == demo.sums(engineer, "duckdb")
    assert trino["flights"][0] == 336_776


def test_the_analyst_meets_the_same_filter_and_mask_in_both_engines(demo: Demo) -> None:
    analyst = person(demo, "bi-analyst")
    trino = demo.sums(analyst, "trino")
    assert trino == demo.sums(analyst, "duckdb")
    assert trino["flights"][0] < 336_776


def test_the_dag_of_the_demo_has_compared_the_tables(demo: Demo) -> None:
    engineer = person(demo, "data-engineer")

    def has_succeeded() -> bool:
        page = demo.portal.ask("/api/plugins/airflow_dbt/dags", headers=engineer).json()
        (dag,) = [one for one in page["items"] if one["id"] == "openlakes_flights_check"]
        return any(run["state"] == "success" for run in dag["runs"])

    wait_for(has_succeeded, 180)


@pytest.mark.parametrize(("width", "theme"), chromium.SIZES)
def test_its_home_and_the_pages_of_the_stack_are_fit_to_be_seen(demo: Demo, width: int, theme: str) -> None:
    with chromium.browser() as launched, chromium.tab(launched, f"http://{demo.host}", width, theme) as tab:
        tab.sign_in("data-engineer")
        expect(tab.page.get_by_role("region", name="Alerts")).to_contain_text("Targets down")
        tab.look(f"demo-home-{width}-{theme}")
        tab.go("/x/stack/components")
        table = tab.page.get_by_role("region", name="Components, table")
        expect(table.get_by_role("link")).to_have_count(len(running_components(demo)))
        expect(table.locator("[data-state=healthy]").first).to_be_visible()
        tab.look(f"demo-stack-{width}-{theme}")
        table.get_by_role("link", name="Trino").click()
        expect(tab.page.get_by_text("SERVER STARTED")).to_be_visible()
        tab.look(f"demo-component-{width}-{theme}")
        tab.go("/operate/health")
        tab.look(f"demo-health-{width}-{theme}")
        tab.check_faults()


def running_components(demo: Demo) -> list[str]:
    """Ids of what the stack runs."""
    return [one.id for one in Stack(demo.data / "stack", all_components()).status(with_memory=False)]


def test_the_dashboard_of_the_demo_is_there(demo: Demo) -> None:
    page = demo.portal.ask("/api/plugins/superset/dashboards", headers=person(demo, "bi-analyst")).json()
    assert [one["title"] for one in page["items"]] == ["Flights of 2013"]


def test_apps_are_for_those_whose_role_may(demo: Demo) -> None:
    def apps(persona: str) -> set[str]:
        told = demo.portal.ask("/api/bootstrap", headers=person(demo, persona)).json()
        return {one["id"] for one in told["apps"]}

    assert apps("platform-admin") >= {"airflow", "superset", "trino", "prometheus", "alertmanager"}
    assert {"airflow", "superset"} <= apps("data-engineer")
    assert "airflow" not in apps("bi-analyst")
    assert apps("viewer") == set()


def test_a_stop_ends_everything_within_a_minute(demo: Demo) -> None:
    stack = Stack(demo.data / "stack", all_components())
    supervisor = psutil.Process(next(one.pid for one in stack.supervisor.states().values() if one.pid)).parent()
    assert supervisor is not None
    family = [supervisor, *supervisor.children(recursive=True), *_family(demo.process.process.pid)]
    assert len(family) > 15
    demo.process.process.terminate()
    assert demo.process.process.wait(60) in (0, -15, 143), demo.process.tail()
    psutil.wait_procs(family, timeout=2)
    assert [one for one in family if one.is_running()] == []


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
