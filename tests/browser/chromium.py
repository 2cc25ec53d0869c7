"""Chromium as a person's browser: what it logs and what its content policy refuses are kept and must be nothing."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE = Path(__file__).parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]

SIZES = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
"""Widths in pixels and themes in which each page is looked at."""
STILL = """() => document.getAnimations().every(
  (a) => a.playState !== "running" || a.effect.getTiming().iterations === Infinity)"""


def picture(page: Page, name: str) -> None:
    """For people to look at: a file in the folder that OPENLAKES_PICTURES names, if any."""
    if folder := os.environ.get("OPENLAKES_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@contextmanager
def browser() -> Iterator[Browser]:
    """The machine's Chromium, without a window."""
    path = os.environ.get("OPENLAKES_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("no Chromium: install Debian's `chromium`, or name one in OPENLAKES_BROWSER")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


class Tab:
    """A page with what went wrong in it."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.expected: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: None)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def go(self, path: str) -> None:
        """Open an address and wait for its page."""
        self.page.goto(self.address + path)
        self.page.wait_for_selector("#main h1, .signin h1")

    def sign_in(self, persona: str) -> None:
        """From the sign-in page to Home."""
        self.page.goto(self.address + "/signin")
        self.page.click(f"[data-persona={persona}]")
        self.page.wait_for_selector("#main h1")

    def expect_fault(self, pattern: str) -> None:
        """The next check passes over console lines like this: the test made them happen."""
        self.expected.append(pattern)

    def check_faults(self) -> None:
        """Nothing was logged, nothing was refused by the content policy."""
        left = [f for f in self.faults if not any(re.search(p, f) for p in self.expected)]
        assert left == [], left
        self.faults.clear()
        self.expected.clear()

    def look(self, name: str) -> None:
        """The page is no wider than the window, axe finds nothing, nothing was logged, and it is pictured."""
        self.check_width()
        self.check_axe()
        self.check_faults()
        picture(self.page, name)

    def check_width(self) -> None:
        """The page is no wider than the window."""
        assert self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, self.page.url

    def check_axe(self) -> None:
        """axe finds nothing, once what comes and goes has done so: half faded text has no contrast."""
        self.page.wait_for_function(STILL)
        self.page.evaluate(AXE.read_text())
        result: dict[str, Any] = self.page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        found = [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in result["violations"]]
        assert found == [], f"{self.page.url} {found}"


@contextmanager
def tab(launched: Browser, address: str, width: int = 1440, theme: str = "light") -> Iterator[Tab]:
    """A fresh browser profile with one page."""
    height = 900 if width > 900 else 844
    colour: Any = theme
    context = launched.new_context(viewport={"width": width, "height": height}, color_scheme=colour)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = Tab(context, address)
    yield opened
    context.close()
