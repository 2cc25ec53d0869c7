"""How far each component is, kept in files, so that any process can show it: the command, the portal, a test."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from openlakes_portal_stack.runner.component import StackError
from openlakes_portal_stack.runner.layout import Layout, write_whole

Phase = Literal["waiting", "installing", "preparing", "starting", "finishing", "ready", "failed", "left-out", "stopped"]
"""`finishing`: it answers, and what needs it running is being done. `left-out`: it cannot be had on this machine."""

ON_ITS_WAY: tuple[Phase, ...] = ("waiting", "installing", "preparing", "starting", "finishing")


@dataclass(frozen=True)
class Progress:
    """A component's phase, what it does there in words, and since when (RFC 3339, UTC)."""

    phase: Phase
    text: str = ""
    since: str = ""


Listener = Callable[[str, Progress], None]
"""Told of each step: the component's id and its progress."""


class Journal:
    """Writes progress down and tells one listener."""

    def __init__(self, layout: Layout, listener: Listener) -> None:
        self._layout = layout
        self._listener = listener

    def note(self, component: str, phase: Phase, text: str = "") -> None:
        """Keep a step and tell of it. A full disk hides progress and stops nothing."""
        step = Progress(phase, text, datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            write_whole(self._layout.progress / f"{component}.json", json.dumps(asdict(step)))
        except StackError as error:
            step = Progress(phase, f"{text} ({error})".strip(), step.since)
        self._listener(component, step)


def read(layout: Layout, component: str) -> Progress:
    """The last step of a component; `stopped` where there was none."""
    try:
        return Progress(**json.loads((layout.progress / f"{component}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return Progress("stopped")
