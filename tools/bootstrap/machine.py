"""What the machine can give: Debian's packages where that is allowed, and a browser for the tests."""

import os
import shutil
from pathlib import Path

from bootstrap.process import Failure, run, say

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FILES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)


def install_debian_package(name: str) -> bool:
    """Install a package with apt-get where there is one and we are root; tell whether that worked."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    say(f"System: installing Debian's package {name}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    command = [
        apt,
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Use-Pty=0",
        "install",
        "-y",
        "--no-install-recommends",
        name,
    ]
    if run(command, env=env) == 0:
        return True
    # A fresh machine has no package lists yet.
    return run([apt, "-qq", "update"], env=env) == 0 and run(command, env=env) == 0


def find_browser() -> Path | None:
    """Chromium or Chrome: what OPENLAKES_BROWSER names, else what PATH or the usual place holds."""
    named = os.environ.get("OPENLAKES_BROWSER")
    if named:
        return Path(named)
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return Path(found)
    return next((Path(file) for file in BROWSER_FILES if os.access(file, os.X_OK)), None)


def prepare_browser() -> Path:
    """The browser for the tests, installed where that is possible."""
    browser = find_browser()
    if browser is None and install_debian_package("chromium"):
        browser = find_browser()
    if browser is None:
        raise Failure(
            "The browser tests need Chromium or Google Chrome, and none was found.\n"
            "Install one (Debian and Ubuntu: apt-get install chromium), or name one: OPENLAKES_BROWSER=/path/to/chrome"
        )
    return browser
