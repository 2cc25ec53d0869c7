"""A component for tests: a few lines of Python that answer on a port, or fail as they are told."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from openlakes_portal_stack.runner.component import Component, Program, Site
from openlakes_portal_stack.runner.progress import Progress
from openlakes_portal_stack.runner.stack import Stack

SERVER = "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), type('H', (http.server.SimpleHTTPRequestHandler,), {'log_message': lambda *a: None})).serve_forever()"  # noqa: E501


def component(id: str, source: str = SERVER, **changes: Any) -> Component:
    """A component whose only program runs `source` with its port as an argument."""

    def programs(site: Site) -> list[Program]:
        command: list[str | Path] = [sys.executable, "-c", source, str(site.ports["http"])]
        return [Program(id, command, cwd=site.folder, stop_seconds=5, ports=("http",))]

    plain = Component(
        id=id,
        title=id.capitalize(),
        version="1",
        install=lambda site: None,
        programs=programs,
        ready=lambda site: True,
        address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
        ready_within=30,
    )
    return replace(plain, **changes)


def stack(root: Path, *components: Component) -> Stack:
    """A stack that knows these."""
    return Stack(root, {one.id: one for one in components})


def steps() -> tuple[list[tuple[str, str]], Callable[[str, Progress], None]]:
    """What was told, and the listener that collects it."""
    told: list[tuple[str, str]] = []
    return told, lambda id, step: told.append((id, step.phase))
