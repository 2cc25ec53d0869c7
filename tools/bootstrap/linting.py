"""`make lint`: every check runs, and what failed is listed at the end."""

import time
from pathlib import Path

from bootstrap import boundaries, console, locking
from bootstrap.paths import Checkout
from bootstrap.process import run, say


def lint(checkout: Checkout) -> int:
    """0 when every check is content, else 1."""
    tools = checkout.venv / "bin"
    cache = checkout.root / "build" / "import-linter"
    commands: dict[str, list[str | Path]] = {
        "ruff check": [tools / "ruff", "check", "."],
        "ruff format": [tools / "ruff", "format", "--check", "."],
        "mypy": [tools / "mypy", *typed(checkout)],
        "import-linter": [tools / "lint-imports", "--no-logo", "--cache-dir", cache],
    }
    failed = [name for name, command in commands.items() if _checked(name, command, checkout) != 0]
    failed += [] if _boundaries_hold(checkout) else ["boundaries"]
    failed += [] if _is_regenerated(checkout) else ["generated part of pyproject.toml"]
    failed += ["console"] if console.lint(checkout) else []
    if failed:
        say(f"\nlint: failed: {', '.join(failed)}")
        return 1
    say("\nlint: all is well")
    return 0


def typed(checkout: Checkout) -> list[Path]:
    """What mypy reads: our packages, their tests, and the tools."""
    folders = [part for each in checkout.distributions for part in (each / "src", each / "tests")]
    folders += [checkout.root / "tools", checkout.root / "tests", checkout.root / "charts"]
    folders += [checkout.root / "conftest.py", checkout.root / "core" / "hatch_build.py"]
    return [folder for folder in folders if folder.is_file() or any(folder.rglob("*.py"))]


def _checked(name: str, command: list[str | Path], checkout: Checkout) -> int:
    say(f"\nlint: {name}")
    began = time.monotonic()
    status = run(command, cwd=checkout.root)
    say(f"lint: {name}: {'ok' if status == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s")
    return status


def _boundaries_hold(checkout: Checkout) -> bool:
    say("\nlint: boundaries")
    findings = boundaries.check(checkout)
    for finding in findings:
        say(str(finding))
    return not findings


def _is_regenerated(checkout: Checkout) -> bool:
    if locking.is_regenerated(checkout):
        return True
    say("\nlint: pyproject.toml does not speak of the plugins that are here: make lock")
    return False
