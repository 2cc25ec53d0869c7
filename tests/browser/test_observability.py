"""Alerts and targets of the real Prometheus in Chromium, and its own web page in the console for an admin."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from browser import chromium
from browser.chromium import SIZES, picture
from watched import Watched

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Prometheus looks every few seconds, and the page every ten."""
    expect.set_options(timeout=40_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_alerts_and_targets_have_a_page_and_a_card_on_home(
    launched: Browser, watched_portal: Watched, width: int, theme: str
) -> None:
    name = f"Seen{width}{theme}"
    with (
        watched_portal.server.alerting(name, "vector(1)", "critical"),
        chromium.tab(launched, watched_portal.address, width, theme) as tab,
    ):
        tab.sign_in("data-engineer")
        expect(tab.page.get_by_role("link", name=name)).to_be_visible()
        picture(tab.page, f"home-{width}-{theme}")
        tab.check_axe()
        tab.go("/x/observability/alerts")
        alerts = tab.page.get_by_role("region", name="Alerts, table")
        expect(alerts.get_by_text(name).first).to_be_visible()
        expect(alerts.locator("[data-state=firing]").first).to_be_visible()
        picture(tab.page, f"alerts-{width}-{theme}")
        tab.check_width()
        tab.check_axe()
        tab.page.get_by_role("tab", name="Targets").click()
        targets = tab.page.get_by_role("region", name="Targets, table")
        expect(targets.get_by_text("openlakes-portal")).to_be_visible()
        expect(tab.page.get_by_text("own metrics are scraped by the job openlakes-portal")).to_be_visible()
        picture(tab.page, f"targets-{width}-{theme}")
        tab.check_axe()
        tab.check_faults()


def test_prometheus_own_page_opens_in_the_console_for_an_admin(launched: Browser, watched_portal: Watched) -> None:
    with chromium.tab(launched, watched_portal.address) as tab:
        tab.sign_in("platform-admin")
        tab.go("/app/prometheus/classic/targets")
        frame = tab.page.frame_locator("iframe.app-frame")
        expect(frame.get_by_role("heading", name="Targets")).to_be_visible()
        expect(frame.get_by_text("openlakes-portal").first).to_be_visible()
        picture(tab.page, "prometheus")
        tab.go("/app/prometheus/classic/graph?g0.expr=up&g0.tab=1")
        expect(frame.get_by_text('job="openlakes-portal"').first).to_be_visible()
        picture(tab.page, "prometheus-graph")
    with chromium.tab(launched, watched_portal.address) as tab:
        tab.sign_in("data-engineer")
        tab.go("/app/prometheus")
        expect(tab.page.get_by_text("observability:prometheus:open", exact=True)).to_be_visible()
