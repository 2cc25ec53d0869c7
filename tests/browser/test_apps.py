"""Apps in Chromium: signed in once, opened in the console and in a tab of their own, each as who is there; nothing that
a page of one app does reaches another app or the portal."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

import served
from browser import chromium
from browser.chromium import SIZES, picture
from real_servers import child

pytestmark = pytest.mark.browser
HERE = Path(__file__).parent


class House:
    """A portal with two pages of the site's own."""

    def __init__(self, folder: Path) -> None:
        self.apps = {name: child.free_port() for name in ("wiki", "board")}
        pages = HERE / "attack"
        script = str(HERE / "apps_site.py")
        self.processes = [
            child.start([sys.executable, script, str(port), name, str(pages)], folder / f"{name}.log", cwd=folder)
            for name, port in self.apps.items()
        ]
        port = child.free_port()
        self.address = f"http://openlakes.localhost:{port}"
        settings: dict[str, Any] = {
            "auth": {"mode": "demo"},
            "server": {"public_url": self.address, "port": port, "data_dir": str(folder / "data")},
            "gateway": {
                "apps": [
                    {
                        "id": name,
                        "title": name.title(),
                        "target": f"http://127.0.0.1:{at}",
                        "roles": ["data-engineer", "bi-analyst"] if name == "wiki" else ["data-engineer"],
                        "identity": {"kind": "header", "header": "X-Remote-User"},
                        "health": "/seen",
                    }
                    for name, at in self.apps.items()
                ]
            },
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(folder / "settings.json")]
        self.portal = child.start(command, folder / "log", cwd=folder)
        self.portal.wait_until(served.Served(f"http://127.0.0.1:{port}", self.portal).is_ready, 60)

    def at(self, app: str) -> str:
        """An app's address for a browser."""
        return self.address.replace("//", f"//{app}.")

    def kept(self, app: str) -> list[dict[str, str]]:
        """What was posted to an app, asked of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.apps[app]}/kept") as answer:
            found: list[dict[str, str]] = json.load(answer)
            return found

    def stop(self) -> None:
        for process in (self.portal, *self.processes):
            process.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    running = House(tmp_path_factory.mktemp("apps"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_an_app_opens_in_the_console_at_the_place_that_the_address_names(
    launched: Browser, house: House, width: int, theme: str
) -> None:
    with chromium.tab(launched, house.address, width, theme) as tab:
        tab.sign_in("data-engineer")
        tab.go("/app/wiki/notes/today?by=me")
        frame = tab.page.frame_locator("iframe.app-frame")
        expect(frame.locator("#who")).to_have_text("data-engineer")
        expect(frame.locator("#path")).to_have_text("/notes/today?by=me")
        expect(tab.page.get_by_role("heading", name="Wiki")).to_be_visible()
        expect(tab.page.get_by_role("status").filter(has_text="Opening")).to_have_count(0)
        tab.page.evaluate("1")
        tab.check_width()
        picture(tab.page, f"app-{width}-{theme}")
        tab.expect_fault("postMessage")  # axe speaks to every frame, also to one of another origin
        tab.check_axe()
        own = tab.page.get_by_role("link", name="Open in own tab")
        expect(own).to_have_attribute("href", f"{house.at('wiki')}/notes/today?by=me")
        tab.check_faults()


def test_one_sign_in_opens_each_app_and_signing_out_ends_them_all(launched: Browser, house: House) -> None:
    with chromium.tab(launched, house.address) as tab:
        tab.page.goto(f"{house.at('wiki')}/deep?x=1")
        tab.page.wait_for_selector("[data-persona=data-engineer]")
        tab.page.click("[data-persona=data-engineer]")
        expect(tab.page.locator("#who")).to_have_text("data-engineer")
        assert tab.page.url == f"{house.at('wiki')}/deep?x=1", "where the way began, without a code in it"
        tab.page.goto(house.at("board"))
        expect(tab.page.locator("#who")).to_have_text("data-engineer")
        before = len(house.kept("board"))
        tab.page.get_by_role("button", name="Post").click()
        expect(tab.page.locator("#path")).to_have_text("/posted")
        assert [k["who"] for k in house.kept("board")[before:]] == ["data-engineer"], "control: its own page may"
        tab.page.goto(house.address)
        tab.page.click(".avatar")
        tab.page.click("text=Sign out")
        tab.page.wait_for_selector(".signin")
        for app in ("wiki", "board"):
            tab.page.goto(house.at(app))
            tab.page.wait_for_selector("[data-persona]")


def test_two_people_in_two_browsers_each_are_themselves(launched: Browser, house: House) -> None:
    with chromium.tab(launched, house.address) as one, chromium.tab(launched, house.address) as two:
        one.sign_in("data-engineer")
        two.sign_in("bi-analyst")
        for _ in range(3):
            for tab, name in ((one, "data-engineer"), (two, "bi-analyst")):
                tab.page.goto(house.at("wiki"))
                expect(tab.page.locator("#who")).to_have_text(name)


def test_who_may_not_open_an_app_is_told_and_can_ask(launched: Browser, house: House) -> None:
    with chromium.tab(launched, house.address) as tab:
        tab.sign_in("bi-analyst")
        navigation = tab.page.get_by_role("navigation", name="Main")
        assert navigation.get_by_role("link", name="Board", exact=True).count() == 0
        tab.go("/app/board")
        expect(tab.page.get_by_role("heading", name="Board: not yet for you")).to_be_visible()
        expect(tab.page.get_by_text("core:app-board:open", exact=True)).to_be_visible()
        tab.check_axe()
        tab.check_faults()
        tab.page.goto(house.at("board"))
        expect(tab.page.get_by_text("core:app-board:open", exact=True)).to_be_visible()


def test_a_page_of_one_app_reaches_neither_another_app_nor_the_portal(launched: Browser, house: House) -> None:
    with chromium.tab(launched, house.address) as tab:
        tab.sign_in("data-engineer")
        tab.page.goto(house.at("board"))
        expect(tab.page.locator("#who")).to_have_text("data-engineer")
        posted = len(house.kept("board"))
        tab.page.goto(f"{house.at('wiki')}/attack.html")
        tab.page.wait_for_function("document.getElementById('found').textContent.startsWith('{')")
        tried = json.loads(tab.page.locator("#found").inner_text())
        for reading in ("read the portal", "read the other app", "change the portal", "look into the other app"):
            assert tried[reading].startswith("refused") or tried[reading] == "null", (reading, tried[reading])
        assert len(house.kept("board")) == posted, "what is posted blindly is not carried out"
        assert "openlakes" not in tried["cookies"]
        tab.page.goto(house.address)
        tab.page.wait_for_selector("#main h1")
        assert tab.page.evaluate("fetch('/api/session').then(a => a.status)") == 200, "still signed in, with our cookie"
        tab.page.goto(house.at("board"))
        expect(tab.page.locator("#who")).to_have_text("data-engineer")
