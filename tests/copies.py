"""Copies of this checkout for tests that damage it: sources only, no environment, nothing that was built."""

import shutil
from pathlib import Path

from bootstrap.paths import ROOT, Checkout

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "__pycache__", "build.log", "static", ".*_cache", "*.egg-info", ".demo", "dist"
)


def copy_checkout(target: Path, *parts: str) -> Checkout:
    """Copy the named parts of the checkout (files or folders, relative to its root)."""
    for part in parts:
        source = ROOT / part
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=LEFT_OUT, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target / part)
    return Checkout(target)


def sources(target: Path) -> Checkout:
    """What the rules between packages speak about."""
    return copy_checkout(target, "pyproject.toml", "core", "plugins", "stack")


def plant(file: Path, text: str) -> None:
    """Add lines to the end of a file, made with its folders where it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(f"\n{text}\n")
