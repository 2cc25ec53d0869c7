"""Airflow in Chromium: one sign-in opens its own pages and ours, as who is there; what is done bears their name."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Response, expect

from browser import chromium
from browser.chromium import SIZES, Tab, picture
from real_servers import airflow
from real_servers.airflow import AirflowServer

pytestmark = pytest.mark.browser
SLOW = 60_000
RUN_URL = re.compile(r"/x/airflow_dbt/run\?dag=lines&run=manual")


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


def refusals(page: Page) -> list[str]:
    """Fills with every answer of an app that is an error."""
    found: list[str] = []

    def look(answer: Response) -> None:
        if answer.status >= 400:
            found.append(f"{answer.status} {answer.request.method} {answer.url}")

    page.on("response", look)
    return found


def framed(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.app-frame")


def own_name(page: Page | FrameLocator, name: str) -> None:
    """Airflow's own page says who is signed in."""
    page.get_by_role("button", name="User").click()
    menu = page.get_by_role("menu").filter(has_text="Signed in as")
    expect(menu).to_contain_text(f"{name} (id: {name})", timeout=SLOW)


def started_run(tab: Tab, lines: int, *, fail: bool = False) -> str:
    """Start a run from our page, and see its log to the end; the run's id."""
    page = tab.page
    tab.go("/x/airflow_dbt/dag?dag=lines")
    switch = page.get_by_role("switch", name="lines runs by itself")
    if not switch.is_checked():
        switch.press("Space")
        expect(switch).to_be_checked(timeout=SLOW)
    page.get_by_role("button", name="Start a run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Configuration").fill(json.dumps({"lines": lines, "fail": fail}))
    dialog.get_by_role("button", name="What would it do?").click()
    expect(dialog.get_by_text("A run of lines would start.")).to_be_visible()
    dialog.get_by_role("button", name="Start a run").click()
    page.wait_for_url(RUN_URL, timeout=SLOW)
    # Without a task in the address the page follows the run to its last task, which may be over by now.
    page.get_by_role("region", name="Tasks, table").get_by_role("link", name="write", exact=True).click(timeout=SLOW)
    log = page.get_by_role("log", name="Log of write")
    expect(log).to_contain_text(f"line {lines - 1} of {lines}", timeout=SLOW)
    expect(page.get_by_text("complete", exact=True)).to_be_visible(timeout=SLOW)
    return page.locator(".dag-title").inner_text()


def test_one_sign_in_a_run_its_log_and_airflows_own_pages(launched: Browser, airflow_server: AirflowServer) -> None:
    with chromium.tab(launched, airflow_server.issuer) as tab:
        errors = refusals(tab.page)
        tab.sign_in("data-engineer")
        run = started_run(tab, 3)
        expect(tab.page.get_by_label("The run")).to_contain_text("data-engineer")
        tab.check_axe()
        tab.check_faults()
        tab.page.get_by_role("link", name="Open in Airflow").click()
        assert tab.page.url == f"{airflow_server.issuer}/app/airflow/dags/lines/runs/{run}"
        frame = framed(tab.page)
        expect(frame.get_by_role("heading", name=run)).to_be_visible(timeout=SLOW)
        expect(frame.get_by_text("data-engineer").first).to_be_visible()
        own_name(frame, "data-engineer")
        picture(tab.page, "airflow-own")
        assert errors == [], "nothing that Airflow's own pages ask is refused on the way"
        own = tab.page.get_by_role("link", name="Open in own tab").get_attribute("href")
        assert own == airflow_server.issuer.replace("//", "//airflow.") + f"/dags/lines/runs/{run}"
        tab.page.goto(own)
        expect(tab.page.get_by_role("heading", name=run)).to_be_visible(timeout=SLOW)
        assert "access_token" not in tab.page.content()
        kept = tab.context.cookies()
        assert not any(cookie["name"] == "_token" for cookie in kept), "the token stays with the portal"
    token = airflow_server.token("auditor", "platform-admin")
    events = airflow_server.ask(f"/api/v2/eventLogs?dag_id=lines&run_id={run.replace('+', '%2B')}", token).json()
    recorded = {(event["event"], event["owner"]) for event in events["event_logs"]}
    everything = airflow_server.ask("/api/v2/eventLogs?dag_id=lines&limit=100", token).json()["event_logs"]
    assert ("trigger_dag_run", "data-engineer") in recorded | {(e["event"], e["owner"]) for e in everything}
    found = airflow_server.ask(f"/api/v2/dags/lines/dagRuns/{run}", token).json()
    assert found["triggering_user_name"] == "data-engineer"


def test_of_a_task_that_never_ran_the_page_says_so_instead_of_an_error(
    launched: Browser, airflow_server: AirflowServer
) -> None:
    with chromium.tab(launched, airflow_server.issuer) as tab:
        tab.sign_in("data-engineer")
        run = started_run(tab, 1, fail=True)
        tasks = tab.page.get_by_role("region", name="Tasks, table")
        expect(tasks).to_contain_text("Not run: one before it failed", timeout=SLOW)
        tasks.get_by_role("link", name="count", exact=True).click()
        expect(tab.page.get_by_text("count never ran: it has no log")).to_be_visible()
        assert tab.page.locator(".dag-title").inner_text() == run
        tab.look("airflow-never-ran")


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_our_pages_fit_and_are_clean(launched: Browser, airflow_server: AirflowServer, width: int, theme: str) -> None:
    with chromium.tab(launched, airflow_server.issuer, width, theme) as tab:
        tab.sign_in("analytics-engineer")
        tab.go("/x/airflow_dbt/dags")
        expect(tab.page.get_by_role("link", name="lines", exact=True)).to_be_visible()
        tab.look(f"airflow-dags-{width}-{theme}")
        tab.page.get_by_label("Name of a DAG").fill("no such")
        expect(tab.page.get_by_text('No DAG has "no such" in its name')).to_be_visible()
        assert tab.page.url.endswith("?q=no+such")
        tab.go("/x/airflow_dbt/dag?dag=lines")
        expect(tab.page.get_by_label("About lines")).to_contain_text("1 day")
        tab.look(f"airflow-dag-{width}-{theme}")
        tab.page.get_by_role("region", name="Runs, table").get_by_role("link").first.click()
        tab.page.wait_for_url("**/x/airflow_dbt/run?**")
        expect(tab.page.get_by_role("region", name="Tasks, table")).to_be_visible()
        tab.look(f"airflow-run-{width}-{theme}")
        tab.go("/x/airflow_dbt/dag?dag=gone")
        tab.expect_fault("404")
        expect(tab.page.get_by_role("alert").first).to_contain_text("gone")
        tab.check_axe()
        tab.check_faults()


def test_another_person_without_a_role_has_no_airflow(launched: Browser, airflow_server: AirflowServer) -> None:
    with chromium.tab(launched, airflow_server.issuer) as tab:
        tab.sign_in("bi-analyst")
        navigation = tab.page.get_by_role("navigation", name="Main")
        expect(navigation.get_by_role("link", name="Home")).to_be_visible()
        for name in ("Airflow", "DAGs"):
            assert navigation.get_by_role("link", name=name).count() == 0
        tab.go("/app/airflow/dags")
        expect(tab.page.get_by_role("heading", name="Airflow: not yet for you")).to_be_visible()
        expect(tab.page.get_by_text("airflow_dbt:airflow:open", exact=True)).to_be_visible()
        at = airflow_server.issuer.replace("//", "//airflow.")
        tab.page.goto(f"{at}/dags")
        expect(tab.page.get_by_text("airflow_dbt:airflow:open", exact=True)).to_be_visible()
        assert tab.page.url.startswith(f"{airflow_server.issuer}/"), "it is the portal that says so"


def test_two_people_at_the_same_time_are_each_themselves(launched: Browser, airflow_server: AirflowServer) -> None:
    at = airflow_server.issuer.replace("//", "//airflow.")
    with chromium.tab(launched, airflow_server.issuer) as one, chromium.tab(launched, airflow_server.issuer) as two:
        one.sign_in("data-engineer")
        two.sign_in("platform-admin")
        for _ in range(3):
            for tab, name in ((one, "data-engineer"), (two, "platform-admin")):
                tab.page.goto(f"{at}/ui/auth/me")
                assert f'"username":"{name}"' in tab.page.content()


@pytest.mark.parametrize("where", ["frame", "tab"])
def test_airflows_own_way_out_leads_to_the_portals(
    launched: Browser, airflow_server: AirflowServer, where: str
) -> None:
    at = airflow_server.issuer.replace("//", "//airflow.")
    with chromium.tab(launched, airflow_server.issuer) as tab:
        tab.sign_in("data-engineer")
        tab.page.goto(f"{airflow_server.issuer}/app/airflow/dags" if where == "frame" else f"{at}/dags")
        place = framed(tab.page) if where == "frame" else tab.page
        place.get_by_role("button", name="User").click(timeout=SLOW)
        place.get_by_role("menuitem", name="Logout").click()
        place.get_by_role("button", name="Confirm").click()
        tab.page.wait_for_url(f"{airflow_server.issuer}/signout", timeout=SLOW)
        picture(tab.page, f"airflow-sign-out-{where}")
        tab.page.locator("#main").get_by_role("button", name="Sign out").click()
        tab.page.wait_for_selector("[data-persona]")
        tab.page.goto(f"{at}/dags")
        tab.page.wait_for_selector("[data-persona]")


@pytest.fixture(scope="module")
def below_a_path(airflow_server: AirflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    with airflow.in_path_mode(airflow_server, tmp_path_factory.mktemp("path")) as server:
        yield server


def test_in_path_mode_too(launched: Browser, below_a_path: AirflowServer) -> None:
    with chromium.tab(launched, below_a_path.issuer) as tab:
        errors = refusals(tab.page)
        tab.sign_in("data-engineer")
        run = started_run(tab, 2)
        tab.page.get_by_role("link", name="Open in Airflow").click()
        frame = framed(tab.page)
        expect(frame.get_by_role("heading", name=run)).to_be_visible(timeout=SLOW)
        own_name(frame, "data-engineer")
        assert errors == []
        tab.page.goto(f"{below_a_path.issuer}/apps/airflow/dags")
        expect(tab.page.get_by_role("link", name="lines", exact=True).first).to_be_visible(timeout=SLOW)
        assert errors == []
    with chromium.tab(launched, below_a_path.issuer) as tab:
        tab.sign_in("bi-analyst")
        status = tab.page.evaluate("fetch('/apps/airflow/api/v2/dags').then((answer) => answer.status)")
        assert status == 403
        tab.page.goto(f"{below_a_path.issuer}/apps/airflow/dags")
        expect(tab.page.get_by_role("heading", name="Airflow: Not allowed")).to_be_visible()
        expect(tab.page.get_by_text("airflow_dbt:airflow:open")).to_be_visible()
