"""The audit page in Chromium: what somebody did is found, told as a story with before and after, exported, and said to
be whole or broken."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import served
from browser import chromium
from openlakes_portal._audit.export import verify_lines
from real_servers import child

pytestmark = pytest.mark.browser


class Lite:
    """A demo without the real components, with statements every second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port = child.free_port()
        self.address = f"http://openlakes.localhost:{port}"
        command = ["-m", "openlakes_portal.cli", "demo", "--lite", "--port", str(port), "--data", str(folder / "data")]
        environment = {**os.environ, "OPENLAKES_AUDIT__CHECKPOINT_EVERY": "1"}
        self.process = child.start([sys.executable, *command], folder / "log", cwd=folder, env=environment)
        self.asked = served.Served(f"http://127.0.0.1:{port}", self.process)
        self.process.wait_until(self.asked.is_ready, 120)


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    running = Lite(tmp_path_factory.mktemp("audit"))
    yield running
    running.process.stop()


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as started:
        yield started


def make_a_role(lite: Lite) -> str:
    """Done by the API as the admin; the request id."""
    answer = lite.asked.ask("/auth/demo", {"persona": "platform-admin"})
    headers = {"Cookie": answer.headers["set-cookie"].split(";")[0], "X-CSRF-Token": answer.json()["csrf_token"]}
    body = {"name": "plugin-watcher", "description": "Sees plugins", "permissions": ["core:plugin:read"]}
    made = lite.asked.ask("/api/roles", body, headers)
    assert made.status in (201, 409), made.body
    return str(made.headers["x-request-id"])


def test_a_change_is_found_told_and_exported(lite: Lite, launched: Browser) -> None:
    make_a_role(lite)
    with chromium.tab(launched, lite.address) as opened:
        page = opened.page
        opened.sign_in("platform-admin")
        opened.go("/admin/audit")
        expect(page.get_by_role("region", name="How the log stands")).to_contain_text("covered by statement")
        page.get_by_label("Action", exact=True).fill("core.role.")
        page.get_by_label("Kind").select_option("outcome")
        rows = page.locator("table.plain tbody tr")
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("platform-admin made the role plugin-watcher")
        page.get_by_role("button", name="Story of record").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("list")).to_contain_text("Intent")
        expect(dialog.get_by_label("All of this request").locator("li")).to_have_count(2)
        expect(dialog.get_by_label("Before and after", exact=True)).to_contain_text("core:plugin:read")
        opened.check_axe()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        with page.expect_download() as download:
            page.get_by_role("link", name="Export selection").click()
        report = verify_lines(Path(download.value.path()).read_bytes().splitlines())
        assert (report.ok, report.filtered, report.records) == (True, True, 1)
        page.get_by_role("button", name="Clear all filters").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Export", exact=True).click()
        whole = verify_lines(Path(download.value.path()).read_bytes().splitlines())
        assert (whole.ok, whole.filtered) == (True, False)
        opened.check_faults()


def test_a_session_s_records_are_one_click_away(lite: Lite, launched: Browser) -> None:
    make_a_role(lite)
    with chromium.tab(launched, lite.address) as opened:
        opened.sign_in("platform-admin")
        opened.go("/admin/audit?action=core.role.")
        opened.page.get_by_role("button", name="Story of record").first.click()
        dialog = opened.page.get_by_role("dialog")
        dialog.locator("dd .link-button").first.click()
        expect(opened.page.locator(".audit-chip")).to_contain_text("Session")
        expect(opened.page.locator("table.plain tbody")).to_contain_text("signed in")
        opened.page.get_by_role("button", name="Remove the filter by session").click()
        expect(opened.page.locator(".audit-chip")).to_have_count(0)
        opened.check_faults()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_is_clean_at_every_size_and_theme(width: int, theme: str, lite: Lite, launched: Browser) -> None:
    make_a_role(lite)
    with chromium.tab(launched, lite.address, width, theme) as opened:
        opened.sign_in("platform-admin")
        for name, path in (("log", "/admin/audit"), ("story", "/admin/audit?action=core.role.create&phase=outcome")):
            opened.go(path)
            expect(opened.page.locator("table.plain tbody tr").first).to_be_visible()
            if name == "story":
                opened.page.get_by_role("button", name="Story of record").first.click()
                expect(opened.page.get_by_label("All of this request").locator("li").first).to_be_visible()
            opened.check_axe()
            opened.check_width()
            chromium.picture(opened.page, f"audit-{name}-{width}-{theme}")
        opened.check_faults()


def test_a_log_that_was_changed_says_so(lite: Lite, launched: Browser) -> None:
    """The last test: somebody writes the database behind the portal's back."""
    make_a_role(lite)
    with chromium.tab(launched, lite.address) as opened:
        opened.sign_in("platform-admin")
        with sqlite3.connect(lite.folder / "data" / "portal.db", timeout=20) as connection:
            connection.execute("BEGIN IMMEDIATE")
            newest = "SELECT max(id) FROM audit_records"
            connection.execute(f"UPDATE audit_records SET result = 'nothing' WHERE id = ({newest})")
            connection.execute("UPDATE audit_writers SET signed_seq = seq - 1 WHERE signed_seq = seq")
        opened.go("/admin/audit")
        state = opened.page.get_by_role("region", name="How the log stands")
        expect(state).to_contain_text("Does not hold", timeout=20_000)
        opened.check_axe()
        chromium.picture(opened.page, "audit-broken-1440-light")
        opened.check_faults()
