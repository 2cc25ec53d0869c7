"""Superset in Chromium: signed in once, its own pages in the console as who is there, each with their own rights; a
query's way from the workbench into SQL Lab; its sign-out is the portal's; in host mode and in path mode."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, expect

from browser import chromium
from browser.chromium import SIZES, Tab, picture
from real_servers import superset
from real_servers.superset import SupersetServer

pytestmark = [pytest.mark.browser, pytest.mark.server]
SLOW = 60_000
"""Milliseconds that Superset may take for a page on a busy machine."""
ITS_OWN = r"^error: Response$|superset\.openlakes|/apps/superset|scarf|postMessage"
"""What Superset's own pages log, and axe, which speaks to frames of another origin."""


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="module")
def path_mode(superset_server: SupersetServer) -> Iterator[SupersetServer]:
    with (
        tempfile.TemporaryDirectory(prefix="openlakes-superset-path-") as folder,
        superset.in_path_mode(superset_server, Path(folder)) as server,
    ):
        yield server


def inside(tab: Tab) -> FrameLocator:
    """Superset's page in the console."""
    return tab.page.frame_locator("iframe.app-frame")


def number_of_the_dashboard(tab: Tab) -> str:
    """Found as a person does: in the gallery."""
    tab.go("/x/superset/dashboards")
    link = tab.page.get_by_role("link", name="Flights of 2013")
    expect(link).to_be_visible(timeout=SLOW)
    return (link.get_attribute("href") or "").rpartition("=")[2]


def expect_charts(frame: FrameLocator) -> None:
    """The charts are drawn, from all the flights."""
    expect(frame.get_by_text("337k")).to_be_visible(timeout=SLOW)
    expect(frame.locator("canvas").first).to_be_visible(timeout=SLOW)
    drawn = """canvas => {
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(Array.from({length: data.length / 4}, (_, i) => data[4 * i + 2])).size > 3;
    }"""
    canvas = frame.locator("canvas").first.element_handle()
    assert canvas is not None
    owner = canvas.owner_frame()
    assert owner is not None
    owner.wait_for_function(drawn, arg=canvas, timeout=SLOW)


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_dashboards_and_charts_are_found_filtered_and_opened(
    launched: Browser, superset_server: SupersetServer, width: int, theme: str
) -> None:
    with chromium.tab(launched, superset_server.issuer, width, theme) as tab:
        tab.sign_in("data-engineer")
        tab.go("/x/superset/dashboards")
        cards = tab.page.locator(".bi-card")
        expect(cards).to_have_count(1, timeout=SLOW)
        picture(tab.page, f"superset-dashboards-{width}-{theme}")
        tab.check_axe()
        tab.page.get_by_text("Charts", exact=True).click()
        expect(cards).to_have_count(5)
        tab.page.get_by_role("textbox", name="Search charts").fill("airline")
        expect(cards).to_have_count(1)
        expect(cards.first).to_contain_text("Minutes late by airline")
        assert "search=airline" in tab.page.url, "what is shown is an address"
        tab.page.reload()
        expect(cards).to_have_count(1, timeout=SLOW)
        picture(tab.page, f"superset-charts-{width}-{theme}")
        tab.page.get_by_role("switch", name="Mine").press("Space")
        expect(tab.page.get_by_text("No chart fits")).to_be_visible()
        tab.check_axe()
        tab.check_width()
        tab.go("/x/superset/data")
        expect(tab.page.get_by_role("cell", name="flights", exact=True)).to_be_visible(timeout=SLOW)
        tab.check_axe()
        tab.check_faults()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_dashboard_is_drawn_in_the_console(
    launched: Browser, superset_server: SupersetServer, width: int, theme: str
) -> None:
    with chromium.tab(launched, superset_server.issuer, width, theme) as tab:
        tab.sign_in("bi-analyst")
        number = number_of_the_dashboard(tab)
        tab.page.get_by_role("link", name="Flights of 2013").click()
        expect(tab.page.get_by_role("heading", name="Flights of 2013")).to_be_visible(timeout=SLOW)
        expect_charts(tab.page.frame_locator("iframe.bi-frame"))
        picture(tab.page, f"superset-dashboard-{width}-{theme}")
        assert tab.page.url.endswith(f"/x/superset/dashboard?id={number}")
        tab.expect_fault(ITS_OWN)
        tab.check_axe()
        own = tab.page.get_by_role("link", name="Open in Superset")
        expect(own).to_have_attribute("href", f"/app/superset/superset/dashboard/{number}/")
        tab.page.goto(f"{superset_server.issuer}/x/superset/dashboard?id=999999")
        expect(tab.page.get_by_text("Superset has no such thing")).to_be_visible(timeout=SLOW)
        tab.expect_fault("404")
        tab.check_faults()


def test_signed_in_once_superset_is_open_as_oneself(launched: Browser, superset_server: SupersetServer) -> None:
    with chromium.tab(launched, superset_server.issuer) as tab:
        tab.sign_in("data-engineer")
        number = number_of_the_dashboard(tab)
        tab.page.goto(f"{superset_server.issuer}/app/superset/superset/dashboard/{number}/")
        expect_charts(inside(tab))
        picture(tab.page, "superset-app")
        tab.page.goto(f"{superset_server.issuer}/app/superset/user_info/")
        expect(inside(tab).get_by_text("data-engineer", exact=True)).to_be_visible(timeout=SLOW)
        expect(inside(tab).get_by_text("Dana", exact=True)).to_be_visible()
        expect(inside(tab).get_by_text("SQL", exact=True).first).to_be_visible()
        picture(tab.page, "superset-oneself")
        tab.expect_fault(ITS_OWN)
        tab.check_faults()
    with chromium.tab(launched, superset_server.issuer) as tab:
        tab.sign_in("bi-analyst")
        tab.page.goto(f"{superset_server.issuer}/app/superset/user_info/")
        expect(inside(tab).get_by_text("bi-analyst", exact=True)).to_be_visible(timeout=SLOW)
        expect(inside(tab).get_by_text("Bea", exact=True)).to_be_visible()
        expect(inside(tab).get_by_text("Dashboards", exact=True).first).to_be_visible()
        expect(inside(tab).get_by_text("SQL", exact=True)).to_have_count(0)
    with chromium.tab(launched, superset_server.issuer) as tab:
        tab.sign_in("viewer")
        tab.go("/app/superset")
        expect(tab.page.get_by_role("heading", name="Superset: not yet for you")).to_be_visible()
        tab.check_axe()
        tab.check_faults()
    statement = "SELECT DISTINCT u.username FROM logs l JOIN ab_user u ON u.id = l.user_id WHERE l.dashboard_id = {}"
    assert {"data-engineer", "bi-analyst"} <= {row[0] for row in superset_server.sql(statement.format(number))}


def test_a_query_goes_from_the_workbench_into_sql_lab(launched: Browser, superset_server: SupersetServer) -> None:
    with chromium.tab(launched, superset_server.issuer) as tab:
        tab.sign_in("data-engineer")
        tab.go("/x/trino/sql")
        tab.page.locator(".monaco-editor").first.wait_for(timeout=SLOW)
        tab.page.locator(".monaco-editor").first.click()
        tab.page.keyboard.press("ControlOrMeta+A")
        tab.page.keyboard.insert_text("SELECT 40 + 2 AS answer")
        tab.page.keyboard.press("ControlOrMeta+Enter")
        button = tab.page.get_by_role("button", name="Open in Superset")
        expect(button).to_be_visible(timeout=SLOW)
        picture(tab.page, "superset-from-the-workbench")
        button.click()
        tab.page.wait_for_url("**/app/superset/sqllab/p/*", timeout=SLOW)
        expect(inside(tab).locator(".ace_content").first).to_contain_text("40 + 2", timeout=SLOW)
        picture(tab.page, "superset-sql-lab")
        tab.expect_fault(ITS_OWN)
        tab.check_faults()
    with chromium.tab(launched, superset_server.issuer) as tab:
        tab.sign_in("bi-analyst")
        tab.go("/x/trino/sql")
        tab.page.locator(".monaco-editor").first.click(timeout=SLOW)
        tab.page.keyboard.insert_text("SELECT 1 AS one")
        tab.page.keyboard.press("ControlOrMeta+Enter")
        expect(tab.page.get_by_role("button", name="Export")).to_be_visible(timeout=SLOW)
        expect(tab.page.get_by_role("button", name="Open in Superset")).to_have_count(0)


def test_supersets_sign_out_is_the_portals_and_ends_it_all(launched: Browser, superset_server: SupersetServer) -> None:
    at_superset = superset_server.issuer.replace("//", "//superset.")
    with chromium.tab(launched, superset_server.issuer) as tab:
        tab.sign_in("data-engineer")
        tab.page.goto(f"{superset_server.issuer}/app/superset/superset/welcome/")
        expect(inside(tab).get_by_text("Dashboards", exact=True).first).to_be_visible(timeout=SLOW)
        inside(tab).get_by_text("Settings", exact=True).first.hover()
        inside(tab).get_by_text("Logout", exact=True).click()
        expect(tab.page.locator("#main > .page h1")).to_have_text("Sign out?", timeout=SLOW)
        assert tab.page.url == f"{superset_server.issuer}/signout", "the console itself, not a frame in it"
        tab.check_axe()
        tab.page.goto(f"{at_superset}/user_info/")
        expect(tab.page.get_by_text("data-engineer", exact=True)).to_be_visible(timeout=SLOW)
        tab.page.goto(f"{at_superset}/logout/")
        tab.page.wait_for_url(f"{superset_server.issuer}/signout")
        tab.page.get_by_role("button", name="Sign out").click()
        tab.page.wait_for_selector(".signin")
        for place in (f"{at_superset}/user_info/", f"{superset_server.issuer}/x/superset/dashboards"):
            tab.page.goto(place)
            tab.page.wait_for_selector("[data-persona]")
        tab.page.goto(f"{superset_server.issuer}/signout")
        tab.page.wait_for_selector("[data-persona]")


def test_path_mode_opens_it_below_the_portals_own_address(launched: Browser, path_mode: SupersetServer) -> None:
    with chromium.tab(launched, path_mode.issuer) as tab:
        tab.sign_in("data-engineer")
        number = number_of_the_dashboard(tab)
        tab.page.goto(f"{path_mode.issuer}/app/superset/superset/dashboard/{number}/")
        expect_charts(inside(tab))
        address = inside(tab).locator("body").evaluate("() => location.href")
        assert address.startswith(f"{path_mode.issuer}/apps/superset/superset/dashboard/")
        failed: list[str] = []
        tab.page.on("response", lambda answer: failed.append(answer.url) if answer.status == 404 else None)
        tab.page.goto(f"{path_mode.issuer}/apps/superset/user_info/")
        expect(tab.page.get_by_text("data-engineer", exact=True)).to_be_visible(timeout=SLOW)
        picture(tab.page, "superset-path-mode")
        assert failed == [], "no address of its own leads out of its place"
        tab.expect_fault(ITS_OWN)
        tab.check_faults()
