"""What every command of `openlakes` says with `--help`, at a fixed width."""

import contextlib
import io
import os
from collections.abc import Iterator
from unittest.mock import patch

from openlakes_portal.cli import COMMANDS, main

BELOW = {"plugin": ("list", "check", "new")}
SILENT = ("bundle",)
"""Commands that only say that they are not there yet."""


def helps() -> Iterator[tuple[str, str]]:
    """Each command with its help."""
    for name in COMMANDS:
        if name in SILENT:
            continue
        yield f"openlakes {name}", _help(name)
        for below in BELOW.get(name, ()):
            yield f"openlakes {name} {below}", _help(name, below)


def _help(*words: str) -> str:
    out = io.StringIO()
    wide = patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"})
    with wide, contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())
