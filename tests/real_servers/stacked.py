"""One component of the stack as a child of the test run: there is one way to start a component, and this is it without
the supervisor, which the stack's own tests are about."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openlakes_portal_stack.components import component
from openlakes_portal_stack.runner.component import Component
from openlakes_portal_stack.runner.layout import Layout, Record, with_ports
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.work import Interruption, base_environment
from real_servers import child


def site_of(id: str, folder: Path, portal: str, issuer: str) -> tuple[Component, StackSite]:
    """A component and its place, set up for a portal at an address that need not answer yet; prepared, not started.
    Raises `LeftOut` where it cannot be had."""
    found = component(id)
    layout = Layout(folder)
    layout.make()
    record = with_ports(Record(components=(id,), portal=portal, portal_issuer=issuer), [found], set())
    site = StackSite(found, layout, record, dict, Interruption(), lambda id, text: print(id, text, file=sys.stderr))
    found.install(site)
    found.prepare(site)
    return found, site


@contextmanager
def running(found: Component, site: StackSite) -> Iterator[tuple[child.Child, ...]]:
    """Its programs, ready to serve; ended in the end."""
    processes = tuple(
        child.start(
            program.command,
            site.folder / f"{program.name}.log",
            cwd=program.cwd,
            env={**base_environment(site.folder), **program.environment},
        )
        for program in found.programs(site)
    )
    try:
        for process in processes:
            process.wait_until(lambda: found.ready(site), found.ready_within)
        yield processes
    finally:
        for process in processes:
            process.stop()
