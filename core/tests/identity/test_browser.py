"""Signing in and out in Chromium, at a real provider's own page: what a person sees, and what they are told."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import served
from browser import chromium
from browser.chromium import SIZES, picture
from real_servers import child

from .oidc_provider import NodeProvider
from .portal import oidc_settings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(node_provider: NodeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A portal as `openlakes serve` runs it, at an address that the provider knows."""
    folder, port = tmp_path_factory.mktemp("portal"), child.free_port()
    settings: dict[str, Any] = oidc_settings(node_provider)
    settings["auth"]["oidc"]["title"] = "Acme"
    settings["server"] = {"public_url": f"http://localhost:{port}", "port": port, "data_dir": str(folder / "data")}
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(folder / "settings.json")]
    process = child.start(command, folder / "log", cwd=folder)
    try:
        process.wait_until(served.Served(f"http://localhost:{port}", process).is_ready, 60)
        yield f"http://localhost:{port}"
    finally:
        process.stop()


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


def fill_in(page: Page, username: str) -> None:
    """The provider's own page."""
    page.fill("[name=username]", username)
    page.fill("[name=password]", f"{username}-pw")
    page.press("[name=password]", "Enter")


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_a_person_signs_in_at_the_provider_and_is_where_they_wanted_to_be(
    launched: Browser, address: str, width: int, theme: str
) -> None:
    with chromium.tab(launched, address, width, theme) as tab:
        tab.page.goto(f"{address}/operate/health")
        button = tab.page.get_by_role("link", name="Sign in")
        expect(button).to_be_visible()
        expect(tab.page.get_by_text("You sign in with Acme")).to_be_visible()
        tab.check_axe()
        picture(tab.page, f"sign-in-{width}-{theme}")
        button.click()
        fill_in(tab.page, "alice")
        expect(tab.page.get_by_role("heading", name="Health")).to_be_visible()
        assert tab.page.url == f"{address}/operate/health"
        tab.check_faults()


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_a_sign_in_that_failed_says_why_and_how_to_go_on(
    launched: Browser, address: str, width: int, theme: str
) -> None:
    with chromium.tab(launched, address, width, theme) as tab:
        tab.expect_fault("status of 400")
        tab.page.goto(f"{address}/auth/callback?state=old&code=old")
        expect(tab.page.get_by_text("The sign-in was refused")).to_be_visible()
        expect(tab.page.get_by_text("took more than ten minutes")).to_be_visible()
        tab.check_axe()
        picture(tab.page, f"refused-{width}-{theme}")
        tab.page.get_by_role("link", name="Sign in again").click()
        fill_in(tab.page, "alice")
        expect(tab.page.locator("#main h1")).to_be_visible()
        tab.check_faults()


def test_signing_out_leads_over_the_provider_back_to_the_sign_in_page(launched: Browser, address: str) -> None:
    with chromium.tab(launched, address) as tab:
        tab.page.goto(f"{address}/")
        tab.page.get_by_role("link", name="Sign in").click()
        fill_in(tab.page, "alice")
        tab.page.get_by_role("button", name=re.compile("account of")).click()
        tab.page.get_by_role("menuitem", name="Sign out").click()
        tab.page.get_by_role("button", name="Sign out everywhere").click()
        expect(tab.page.get_by_role("link", name="Sign in")).to_be_visible()
        assert tab.page.url.startswith(address)
        tab.page.get_by_role("link", name="Sign in").click()
        expect(tab.page.locator("[name=password]")).to_be_visible()


def test_a_person_without_a_role_is_told_so(launched: Browser, address: str) -> None:
    with chromium.tab(launched, address) as tab:
        tab.page.goto(f"{address}/")
        tab.page.get_by_role("link", name="Sign in").click()
        fill_in(tab.page, "dave")
        expect(tab.page.locator("#main h1")).to_be_visible()
        picture(tab.page, "no-access")
        tab.check_axe()
        tab.check_faults()


def test_a_session_that_is_about_to_end_is_said(launched: Browser, address: str) -> None:
    with chromium.tab(launched, address, 390, "dark") as tab:
        tab.page.goto(f"{address}/operate/health")
        tab.page.get_by_role("link", name="Sign in").click()
        fill_in(tab.page, "alice")
        expect(tab.page.get_by_role("heading", name="Health")).to_be_visible()
        assert tab.page.get_by_text("You are signed in until").count() == 0

        def nearly_over(route: Any) -> None:
            body = route.fetch().json()
            body["session"]["expires_at"] = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
            route.fulfill(json=body)

        tab.page.route("**/api/bootstrap", nearly_over)
        tab.page.reload()
        expect(tab.page.get_by_text("You are signed in until")).to_be_visible()
        expect(tab.page.get_by_role("heading", name="Health")).to_be_visible()
        tab.check_axe()
        picture(tab.page, "about-to-end")
        tab.page.unroute("**/api/bootstrap")
        tab.page.get_by_role("link", name="Sign in again").click()
        expect(tab.page.get_by_role("heading", name="Health")).to_be_visible()
        expect(tab.page.get_by_text("You are signed in until")).to_have_count(0)
        tab.check_faults()
