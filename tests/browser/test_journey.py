"""The journey in Chromium, on the demo as `make demo` starts it, with real data in Iceberg tables."""

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

import served
from browser import chromium, site
from real_servers import child

pytestmark = pytest.mark.browser

ADDRESS = "http://openlakes.localhost"
COMPLETE_WITHIN = 30_000
PAGES = (
    "/",
    "/account",
    "/operate/health",
    "/admin/plugins",
    "/admin/settings",
    "/admin/audit",
    "/admin/requests",
    "/admin/users",
    "/admin/users/platform-admin",
    "/admin/groups",
    "/admin/roles",
    "/admin/roles/viewer",
    "/admin/bindings",
    "/admin/matrix",
    "/admin/service-accounts",
    "/admin/explain",
    "/admin/sessions",
    "/admin/tokens",
    "/x/trino/sql",
)


class Demo:
    """The demo, startable again with other plugins installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = child.free_port()
        self.flag = folder / "flag"
        self.plugins = site.install(folder / "site") if not (folder / "site").exists() else folder / "site"
        self.process: child.Child | None = None

    @property
    def address(self) -> str:
        return f"{ADDRESS}:{self.port}"

    def start(self, with_plugins: bool) -> None:
        patient = {"OPENLAKES_PLUGINS__TRINO__DUCKDB__COUNT_LIMIT": "30"}  # of a machine that does much else
        environment = {**os.environ, **patient, "OPENLAKES_PLUGINS__ACME_DECLARED__FLAG": str(self.flag)}
        if with_plugins:
            environment["PYTHONPATH"] = str(self.plugins)
        command = [
            "-m",
            "openlakes_portal.cli",
            "demo",
            "--lite",
            "--port",
            str(self.port),
            "--data",
            str(self.folder / "data"),
        ]
        self.process = child.start(
            [sys.executable, *command], self.folder / "demo.log", cwd=self.folder, env=environment
        )
        self.process.wait_until(served.Served(f"http://127.0.0.1:{self.port}", self.process).is_ready, 120)

    def stop(self) -> None:
        if self.process is not None:
            self.process.process.terminate()
            self.process.process.wait(60)
            self.process.stop()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("journey"))
    running.start(with_plugins=True)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as started:
        yield started


@pytest.fixture
def dana(demo: Demo, launched: Browser) -> Iterator[chromium.Tab]:
    with chromium.tab(launched, demo.address) as opened:
        opened.sign_in("data-engineer")
        yield opened


def open_workbench(opened: chromium.Tab, sql: str) -> None:
    opened.page.goto(opened.address + "/x/trino/sql")
    opened.page.wait_for_selector(".monaco-editor .view-line")
    opened.page.click(".monaco-editor .view-lines")
    opened.page.keyboard.press("Control+A")
    opened.page.keyboard.press("Delete")
    opened.page.keyboard.insert_text(sql)


def run(opened: chromium.Tab, sql: str) -> None:
    open_workbench(opened, sql)
    opened.page.keyboard.press("Control+Enter")


def test_home_changes_live_when_a_component_dies(demo: Demo, dana: chromium.Tab) -> None:
    page = dana.page
    expect(page.locator("[aria-label=Health]")).to_contain_text("healthy", timeout=10_000)
    expect(page.locator("[data-component='acme-declared.warehouse']")).to_have_count(0)
    demo.flag.touch()
    try:
        problem = page.locator("[data-component='acme-declared.warehouse']")
        expect(problem).to_contain_text("The warehouse door is shut.", timeout=5_000)
        expect(problem).to_contain_text("Open the door.")
        dana.check_axe()
    finally:
        demo.flag.unlink()
    expect(page.locator("[data-component='acme-declared.warehouse']")).to_have_count(0, timeout=5_000)
    dana.check_faults()


def test_a_query_runs_is_exported_and_survives_a_reload(dana: chromium.Tab) -> None:
    page = dana.page
    run(dana, "SELECT carrier, count(*) AS flights FROM lakehouse.nyc.flights GROUP BY 1 ORDER BY 2 DESC")
    expect(page.locator(".sql-summary")).to_contain_text("16 rows, all of them", timeout=COMPLETE_WITHIN)
    expect(page.locator("[role=gridcell]").first).to_have_text("UA")
    assert "query=" in page.url
    page.click("button:has-text('Export')")
    with page.expect_download() as download:
        page.click("[role=menuitem]:has-text('CSV')")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == '"carrier","flights"'
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 336_776
    page.reload()
    expect(page.locator("[role=gridcell]").first).to_have_text("UA", timeout=COMPLETE_WITHIN)
    expect(page.locator(".sql-summary")).to_contain_text("16 rows, all of them")
    dana.check_axe()
    dana.check_faults()


def test_a_limit_is_always_said(dana: chromium.Tab) -> None:
    run(dana, "SELECT * FROM lakehouse.nyc.flights")
    expect(dana.page.locator(".sql-summary")).to_contain_text("first 10,000 of 336,776 rows", timeout=COMPLETE_WITHIN)
    dana.check_faults()


def test_stop_stops_and_says_so(dana: chromium.Tab) -> None:
    page = dana.page
    run(dana, "SELECT count(*) FROM lakehouse.nyc.flights a, lakehouse.nyc.flights b WHERE a.distance + b.distance < 0")
    stop = page.locator(".sql-tools button:has-text('Stop')")
    expect(stop).to_be_enabled(timeout=10_000)
    stop.click()
    expect(page.locator(".sql-summary [data-state=cancelled]")).to_be_visible(timeout=5_000)
    dana.check_faults()


def test_an_error_is_marked_at_its_place(dana: chromium.Tab) -> None:
    page = dana.page
    run(dana, "SELECT carrier\nFROM lakehouse.nyc.flights\nWHERE carier = 'UA'")
    expect(page.locator(".state-error")).to_contain_text("Line 3", timeout=COMPLETE_WITHIN)
    expect(page.locator(".squiggly-error").first).to_be_visible()
    dana.check_axe()
    dana.check_faults()


def test_three_tabs_run_side_by_side(dana: chromium.Tab) -> None:
    page = dana.page
    run(dana, "SELECT count(*) FROM lakehouse.nyc.flights a, lakehouse.nyc.flights b WHERE a.distance + b.distance < 0")
    expect(page.locator(".sql-tools button:has-text('Stop')")).to_be_enabled(timeout=10_000)
    for number in (1, 2):
        page.click("[aria-label='New query']")
        page.click(".monaco-editor .view-lines")
        page.keyboard.insert_text(f"SELECT {number} AS answer FROM lakehouse.nyc.airlines LIMIT 1")
        page.keyboard.press("Control+Enter")
        expect(page.locator("[role=gridcell]").first).to_have_text(str(number), timeout=COMPLETE_WITHIN)
    page.click(".sql-pick >> nth=0")
    page.click(".sql-tools button:has-text('Stop')")
    expect(page.locator(".sql-summary [data-state=cancelled]")).to_be_visible(timeout=5_000)
    dana.check_faults()


ENDLESS = "SELECT count(*) FROM lakehouse.nyc.flights a, lakehouse.nyc.flights b WHERE a.distance + b.distance < 0"


@pytest.fixture
def watcher(dana: chromium.Tab) -> Page:
    """Another page of the same person."""
    page = dana.context.new_page()
    page.goto(dana.address + "/operate/health")
    page.wait_for_selector("#main h1")
    return page


def state_of(watcher: Page, query: str) -> str:
    """By the history: whoever asks for the query itself keeps it alive."""
    asked = "async id => (await (await fetch('/api/plugins/trino/queries')).json()).items.find(q => q.id === id).state"
    return str(watcher.evaluate(asked, query))


def check_runs_on(watcher: Page, query: str) -> None:
    """For longer than a page that went away is waited for."""
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        assert state_of(watcher, query) == "running"
        watcher.wait_for_timeout(100)


def check_is_stopped(watcher: Page, query: str) -> None:
    """In the time in which a closed page's query must be dead."""
    until = time.monotonic() + 2
    while state_of(watcher, query) != "cancelled":
        assert time.monotonic() < until, state_of(watcher, query)
        watcher.wait_for_timeout(50)


def query_in_address(opened: chromium.Tab) -> str:
    expect(opened.page).to_have_url(re.compile("query="), timeout=10_000)
    return parse_qs(urlsplit(opened.page.url).query)["query"][0]


def test_a_closed_tab_comes_back_with_its_text(dana: chromium.Tab) -> None:
    page = dana.page
    open_workbench(dana, "SELECT 41 AS kept")
    lines = page.locator(".monaco-editor .view-lines")
    page.click("[aria-label='Close Untitled 1']")
    expect(lines).not_to_contain_text("kept")
    page.click(".toast-info button:has-text('Undo')")
    expect(lines).to_contain_text("41 AS kept")
    expect(page.locator(".sql-pick")).to_have_count(1)
    page.click("[aria-label='Close Untitled 1']")
    expect(page.locator(".toast-info").last).to_contain_text("Closed \u201cUntitled 1\u201d.")
    dana.check_axe()
    page.reload()
    page.wait_for_selector(".monaco-editor .view-line")
    expect(lines).not_to_contain_text("kept")
    page.keyboard.press("Alt+Shift+T")
    expect(lines).to_contain_text("41 AS kept")
    dana.check_faults()


@pytest.mark.parametrize(
    ("asked", "text"), [("saved=site.all-flights", "flights"), ("table=lakehouse.nyc.planes", "planes")]
)
def test_what_the_address_asks_for_opens_once(dana: chromium.Tab, asked: str, text: str) -> None:
    """Once: it asked again with each answer, and a tab came with each."""
    page = dana.page
    dana.page.goto(f"{dana.address}/x/trino/sql?{asked}")
    page.wait_for_selector(".monaco-editor .view-line")
    expect(page.locator(".monaco-editor .view-lines")).to_contain_text(text)
    page.wait_for_timeout(1500)
    expect(page.locator(".sql-pick")).to_have_count(2)
    assert not {"saved", "table"} & set(parse_qs(urlsplit(page.url).query))
    dana.check_faults()


def test_enter_in_a_parameter_runs_the_query(dana: chromium.Tab) -> None:
    page = dana.page
    open_workbench(dana, "SELECT name FROM lakehouse.nyc.airlines WHERE carrier = :code")
    page.get_by_role("textbox", name="Parameter code").fill("UA")
    page.keyboard.press("Enter")
    expect(page.locator(".sql-summary")).to_contain_text("1 row, all of it", timeout=COMPLETE_WITHIN)
    expect(page.locator("[role=gridcell]").first).to_contain_text("United")
    dana.check_faults()


def test_a_reload_by_key_keeps_the_query_and_closing_the_page_stops_it(dana: chromium.Tab, watcher: Page) -> None:
    page = dana.page
    run(dana, ENDLESS)
    query = query_in_address(dana)
    expect(page.locator(".sql-summary")).to_contain_text("Running", timeout=10_000)
    page.keyboard.press("F5")  # tells the page; a browser without a window leaves the loading to us
    page.reload()
    expect(page.locator(".sql-summary")).to_contain_text("Running", timeout=10_000)
    assert query_in_address(dana) == query
    check_runs_on(watcher, query)
    page.close()
    check_is_stopped(watcher, query)
    dana.check_faults()


def test_a_reload_that_nothing_announces_keeps_the_query(dana: chromium.Tab, watcher: Page) -> None:
    """As in a browser that tells a page nothing before it loads it again: the server waits for it to come back."""
    page = dana.page
    page.add_init_script("Object.defineProperty(window, 'navigation', { value: undefined })")
    run(dana, ENDLESS)
    query = query_in_address(dana)
    expect(page.locator(".sql-summary")).to_contain_text("Running", timeout=10_000)
    page.reload()
    expect(page.locator(".sql-summary")).to_contain_text("Running", timeout=10_000)
    check_runs_on(watcher, query)
    page.close()
    check_is_stopped(watcher, query)
    dana.check_faults()


def test_the_history_goes_back_page_by_page(dana: chromium.Tab) -> None:
    page = dana.page
    open_workbench(dana, "SELECT 0")
    run_many = """async count => {
      const { csrf_token } = await (await fetch("/api/session")).json();
      for (let n = 0; n < count; n += 1) {
        const body = JSON.stringify({ sql: `SELECT ${n} AS paged` });
        const headers = { "content-type": "application/json", "x-csrf-token": csrf_token };
        const { id } = await (await fetch("/api/plugins/trino/queries", { method: "POST", body, headers })).json();
        await fetch(`/api/plugins/trino/queries/${id}`, { method: "DELETE", headers });
      }
    }"""
    page.evaluate(run_many, 55)
    page.get_by_role("button", name="Queries").click()
    page.get_by_role("tab", name="History").click()
    page.get_by_role("textbox", name="Find a query").fill("AS paged")
    entries = page.locator(".sql-library code:has-text('AS paged')")
    expect(entries).to_have_count(50, timeout=10_000)
    page.get_by_role("button", name="Look further back").click()
    expect(entries).to_have_count(55, timeout=10_000)
    expect(page.locator(".sql-library:visible code").last).to_have_text("SELECT 0 AS paged")
    dana.check_axe()
    dana.check_faults()


def test_the_editor_draws_its_lines_under_the_strict_policy(dana: chromium.Tab) -> None:
    """Monaco writes style attributes, which the policy drops: without our shim the lines lie on one another."""
    open_workbench(dana, "SELECT 1\n\nSELECT 2\n\nSELECT 3")
    # In one round trip: Monaco replaces its lines as it draws, and a detached line has its top at zero.
    tops = dana.page.evaluate(
        "() => [...document.querySelectorAll('.view-lines .view-line')].map(l => l.getBoundingClientRect().top)"
    )
    assert len(tops) == 5
    assert len(set(tops)) == 5
    dana.check_faults()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_kind_of_word_in_the_editor_can_be_read(theme: str, demo: Demo, launched: Browser) -> None:
    """On the line at the cursor, which has a ground of its own, on others, and in a selection."""
    line = """SELECT count(*), 42, 1.5e3, 'text', CAST("x" AS integer), :name FROM a.b WHERE c >= 7 AND TRUE -- 2013"""
    with chromium.tab(launched, demo.address, theme=theme) as opened:
        opened.sign_in("data-engineer")
        open_workbench(opened, f"{line}\n/* 1 */\n{line}")
        number = opened.page.locator(".monaco-editor .view-line span", has_text=re.compile(r"^42$")).first
        expect(number).to_be_visible()
        opened.check_axe()
        opened.page.keyboard.press("Control+A")
        opened.check_axe()
        opened.check_faults()


def test_the_palette_finds_pages_tables_and_actions(dana: chromium.Tab) -> None:
    page = dana.page
    page.keyboard.press("Control+K")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    page.keyboard.type("flights")
    expect(page.locator("[role=option]:has-text('lakehouse.nyc.flights')").first).to_be_visible(timeout=10_000)
    dana.check_axe()
    page.fill("[role=combobox]", "ship")
    option = page.locator("[role=option]:has-text('Ship an order')")
    expect(option).to_be_visible(timeout=10_000)
    option.click()
    page.get_by_role("textbox", name="Order").fill("A-7")
    page.click("button:has-text('What would it do')")
    expect(page.locator("[role=dialog]")).to_contain_text("data-engineer would ship A-7")
    page.locator("[role=dialog] button[type=submit]").click()
    expect(page.get_by_text("data-engineer shipped A-7")).to_be_visible()
    dana.check_faults()


def test_a_page_in_pure_python_and_a_page_in_a_module_are_drawn(dana: chromium.Tab) -> None:
    page = dana.page
    page.click("nav >> text=Acme orders")
    expect(page.locator("h1")).to_have_text("Acme orders")
    expect(page.locator(".fact")).to_contain_text("18")
    expect(page.locator("table").first).to_contain_text("A-3")
    dana.check_axe()
    page.click("nav >> text=Acme module")
    expect(page.locator(".acme-hello")).to_have_text("Hello data-engineer")
    dana.check_axe()
    dana.check_faults()
    dana.expect_fault("made to break")
    dana.go("/x/acme-module/broken")
    expect(page.locator("[role=alert]")).to_contain_text("made to break")
    expect(page.locator("nav >> text=Acme module")).to_be_visible()
    dana.check_faults()


def test_a_changed_file_of_a_plugin_does_not_run(demo: Demo, dana: chromium.Tab) -> None:
    """The import map holds the file's SHA-384."""
    page = dana.page

    def tamper(route: object) -> None:
        route.fulfill(body="document.title='owned'", content_type="text/javascript")  # type: ignore[attr-defined]

    page.route("**/plugins/acme-module/assets/**/index.js", tamper)
    dana.expect_fault("integrity|Failed to|could not be fetched")
    dana.go("/x/acme-module/hello")
    expect(page.locator("[role=alert]")).to_be_visible()
    assert page.title() != "owned"
    dana.check_faults()


def test_the_broken_plugin_is_named_with_reason_and_remedy(demo: Demo, launched: Browser) -> None:
    with chromium.tab(launched, demo.address) as opened:
        opened.sign_in("platform-admin")
        opened.go("/admin/plugins")
        page = opened.page
        expect(page.locator("table")).to_contain_text("acme-broken")
        expect(page.locator("[aria-label='Plugin acme-broken']")).to_contain_text("KeyError: 'address'")
        opened.check_axe()
        opened.check_faults()


def test_a_viewer_sees_home_and_health_and_nothing_else(demo: Demo, launched: Browser) -> None:
    with chromium.tab(launched, demo.address) as opened:
        opened.sign_in("viewer")
        expect(opened.page.locator("nav a")).to_have_text(["Home", "Health"])
        opened.go("/x/trino/sql")
        expect(opened.page.locator("h1")).to_have_text("SQL: not yet for you")
        expect(opened.page.locator("#main")).to_contain_text("trino:query:run")
        opened.check_axe()
        opened.expect_fault("404")
        opened.go("/x/trino/nowhere")
        expect(opened.page.locator("h1")).to_have_text("There is no such page")
        opened.check_faults()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_clean_at_every_size_and_theme(width: int, theme: str, demo: Demo, launched: Browser) -> None:
    with chromium.tab(launched, demo.address, width, theme) as opened:
        opened.page.goto(opened.address + "/signin")
        opened.page.wait_for_selector("[data-persona]")
        opened.check_axe()
        opened.sign_in("platform-admin")
        for path in PAGES:
            opened.go(path)
            opened.page.wait_for_load_state("networkidle" if path == "/admin/settings" else "load")
            opened.check_axe()
            opened.check_width()
        opened.check_faults()


def test_signing_out_elsewhere_keeps_the_page_and_asks_to_sign_in(demo: Demo, launched: Browser) -> None:
    with chromium.tab(launched, demo.address) as opened:
        opened.sign_in("data-engineer")
        opened.go("/operate/health")
        other = opened.context.new_page()
        other.goto(opened.address + "/")
        other.wait_for_selector("#main h1")
        other.click(".avatar")
        other.click("text=Sign out")
        other.wait_for_selector(".signin")
        opened.page.bring_to_front()
        opened.expect_fault("401")
        opened.page.keyboard.press("Control+K")
        expect(opened.page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
        opened.page.keyboard.type("flights")
        expect(opened.page.get_by_text("You were signed out")).to_be_visible(timeout=10_000)
        opened.check_faults()


def test_a_removed_plugin_is_gone_and_the_rest_stays(demo: Demo, launched: Browser) -> None:
    demo.stop()
    demo.start(with_plugins=False)
    with chromium.tab(launched, demo.address) as opened:
        opened.sign_in("data-engineer")
        expect(opened.page.locator("nav")).to_contain_text("SQL")
        expect(opened.page.locator("nav")).not_to_contain_text("Acme")
        opened.check_faults()
