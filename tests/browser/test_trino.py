"""The real Trino in Chromium: the workbench's words for it, the pages of its queries, stopping one, its own web page in
the console as who is signed in."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import served
from browser import chromium
from browser.chromium import SIZES, picture
from openlakes_portal_stack.runner.component import LeftOut
from real_servers import child, raised, trino

pytestmark = [pytest.mark.browser, pytest.mark.server]
BIG = "SELECT count(*) FROM tpch.sf10.lineitem a CROSS JOIN tpch.sf10.lineitem b WHERE a.orderkey + b.orderkey = -1"


class House:
    """A portal, and a Trino that takes its keys from there, as the stack starts it."""

    def __init__(self, folder: Path, started: ExitStack) -> None:
        port = child.free_port()
        self.address = f"http://openlakes.localhost:{port}"
        made = raised.planned(
            folder / "stack", trino.WITH_RULES, portal=f"http://127.0.0.1:{port}", issuer=self.address
        )
        settings: dict[str, Any] = {
            "auth": {"mode": "demo"},
            "server": {"public_url": self.address, "port": port, "data_dir": str(folder / "data")},
            **trino.WITH_RULES.settings(made.site),
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(folder / "settings.json")]
        process = child.start(command, folder / "portal.log", cwd=folder)
        started.callback(process.stop)
        self.portal = served.Served(f"http://127.0.0.1:{port}", process)
        process.wait_until(self.portal.is_ready, 60)
        started.enter_context(raised.running(made))
        self._sessions: dict[str, dict[str, str]] = {}

    def run(self, persona: str, sql: str) -> dict[str, Any]:
        """A statement that has begun, by the API."""
        if persona not in self._sessions:
            headers = self.portal.sign_in(persona)
            session = self.portal.ask("/api/session", headers=headers).json()
            self._sessions[persona] = {**headers, "X-CSRF-Token": session["csrf_token"]}
        headers = self._sessions[persona]
        query = self.portal.ask("/api/plugins/trino/queries", {"sql": sql}, headers).json()
        deadline = time.monotonic() + 60
        while query["engine_query_id"] is None or query["state"] == "queued":
            assert time.monotonic() < deadline, query
            time.sleep(0.1)
            query = self.portal.ask(f"/api/plugins/trino/queries/{query['id']}", headers=headers).json()
        found: dict[str, Any] = query
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as started:
        try:
            yield House(tmp_path_factory.mktemp("trino-portal"), started)
        except LeftOut as reason:
            pytest.skip(f"no real Trino here: {reason}")


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A Trino that has just started compiles what it runs first."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_a_query_has_a_page_with_its_stages_and_is_stopped_from_there(
    launched: Browser, house: House, width: int, theme: str
) -> None:
    query = house.run("data-engineer", BIG)
    with chromium.tab(launched, house.address, width, theme) as tab:
        tab.sign_in("data-engineer")
        tab.go("/x/trino/queries")
        expect(tab.page.get_by_role("heading", name="Queries in Trino")).to_be_visible()
        link = tab.page.get_by_role("link", name=query["engine_query_id"])
        expect(link).to_be_visible()
        picture(tab.page, f"queries-{width}-{theme}")
        tab.check_width()
        tab.check_axe()
        link.click()
        stages = tab.page.get_by_role("region", name="Stages, table")
        expect(stages.get_by_role("row").nth(2)).to_be_visible()
        expect(stages.get_by_text("TableScan tpch:sf10:lineitem").first).to_be_visible()
        picture(tab.page, f"query-{width}-{theme}")
        tab.check_width()
        tab.check_axe()
        tab.page.get_by_role("button", name="Stop this query").click()
        dialog = tab.page.get_by_role("dialog")
        expect(dialog.get_by_role("textbox", name="Query")).to_have_value(query["engine_query_id"])
        dialog.get_by_role("button", name="Show what it would do").click()
        expect(dialog.get_by_text("would end at once")).to_be_visible()
        tab.check_axe()
        picture(tab.page, f"query-stop-{width}-{theme}")
        dialog.get_by_role("button", name="Stop a query in Trino").click()
        expect(tab.page.get_by_text("has ended: Trino says so.")).to_be_visible()
        expect(tab.page.locator("[data-state=cancelled]").first).to_be_visible()
        tab.page.get_by_role("tab", name="Error").click()
        expect(tab.page.get_by_text("ADMINISTRATIVELY_KILLED")).to_be_visible()
        tab.check_faults()


def write(page: Page, sql: str) -> None:
    page.wait_for_selector(".monaco-editor .view-lines")
    page.click(".monaco-editor .view-lines")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(sql)


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_the_workbench_says_what_trinos_rules_took_away(
    launched: Browser, house: House, width: int, theme: str
) -> None:
    with chromium.tab(launched, house.address, width, theme) as tab:
        tab.sign_in("bi-analyst")
        tab.go("/x/trino/sql")
        write(tab.page, "SELECT * FROM tpch.tiny.nation")
        tab.page.get_by_role("button", name="Run", exact=False).first.click()
        expect(tab.page.get_by_text("5 rows, all of them")).to_be_visible()
        expect(tab.page.get_by_text("Restricted for you: 1 row filter, 1 masked column")).to_be_visible()
        tab.page.get_by_text("Messages", exact=True).click()
        expect(tab.page.get_by_text("(regionkey = 1)")).to_be_visible()
        picture(tab.page, f"restricted-{width}-{theme}")
        tab.check_width()
        tab.check_axe()
        tab.check_faults()


def test_session_properties_stay_with_the_tab_and_a_plan_names_the_tables(launched: Browser, house: House) -> None:
    with chromium.tab(launched, house.address) as tab:
        tab.sign_in("data-engineer")
        tab.go("/x/trino/sql")
        write(tab.page, "SHOW SESSION LIKE 'join_distribution_type'")
        tab.page.get_by_role("button", name="Session", exact=True).click()
        drawer = tab.page.get_by_role("dialog")
        drawer.get_by_role("textbox", name="Find a property").fill("join_distribution_type")
        drawer.get_by_role("textbox", name="join_distribution_type").fill("BROADCAST")
        picture(tab.page, "session")
        tab.check_axe()
        tab.page.keyboard.press("Escape")
        expect(tab.page.get_by_role("button", name="Session (1)")).to_be_visible()
        tab.page.get_by_role("button", name="Run", exact=False).first.click()
        expect(tab.page.get_by_text("1 row, all of it")).to_be_visible()
        tab.page.get_by_text("Messages", exact=True).click()
        expect(tab.page.get_by_text("join_distribution_type = BROADCAST")).to_be_visible()
        tab.page.reload()
        expect(tab.page.get_by_role("button", name="Session (1)")).to_be_visible()
        write(tab.page, "SELECT n.name FROM tpch.tiny.nation n WHERE n.nationkey < 5")
        tab.page.get_by_role("button", name="Explain").first.click()
        tab.page.get_by_role("menuitem", name="Explain: tables that it reads").click()
        tab.page.get_by_text("Plan", exact=True).click()
        plan = tab.page.get_by_role("region", name="Tables of the statement, table")
        expect(plan.get_by_text("tpch.tiny.nation")).to_be_visible()
        expect(plan.get_by_text("nationkey < 5")).to_be_visible()
        picture(tab.page, "io-plan")
        tab.check_axe()
        tab.page.get_by_role("button", name="Explain").first.click()
        tab.page.get_by_role("menuitem", name="Explain: distributed plan").click()
        expect(tab.page.get_by_role("region", name="Plan of the query").get_by_text("Fragment 0")).to_be_visible()
        tab.check_faults()


@pytest.mark.parametrize("persona", ["data-engineer", "analytics-engineer"])
def test_trinos_own_page_opens_in_the_console_as_who_is_signed_in(
    launched: Browser, house: House, persona: str
) -> None:
    query = house.run(persona, "SELECT 6 * 7 AS answer")
    with chromium.tab(launched, house.address) as tab:
        # Trino's page asks for a font from outside, which its frame may not load here.
        for fault in ("fonts.googleapis.com", "ERR_", "postMessage"):
            tab.expect_fault(fault)
        tab.sign_in(persona)
        tab.go("/app/trino")
        frame = tab.page.frame_locator("iframe.app-frame")
        expect(frame.get_by_text("Cluster Overview").first).to_be_visible()
        picture(tab.page, f"trino-{persona}")
        tab.go(f"/app/trino/ui/query.html?{query['engine_query_id']}")
        expect(frame.get_by_text(query["engine_query_id"]).first).to_be_visible()
        expect(frame.get_by_text("SELECT 6 * 7 AS answer").first).to_be_visible()
        expect(frame.get_by_text(persona, exact=True).first).to_be_visible()
        picture(tab.page, f"trino-query-{persona}")
