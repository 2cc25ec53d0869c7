"""A component of the stack for a test run, started as `openlakes stack` starts it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openlakes_portal_stack.runner.component import Component, LeftOut
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.stack import Stack
from openlakes_portal_stack.runner.work import Interruption


@dataclass(frozen=True)
class Raised:
    """A component that runs, and its place. It can be ended and started again."""

    site: StackSite
    stack: Stack

    def stop(self) -> None:
        """End its processes; data stay."""
        self.stack.supervisor.stop(self._programs())

    def start(self) -> None:
        """Start them again, and wait until it serves. Raises `RuntimeError`."""
        for name in self._programs():
            self.stack.supervisor.run(name)
        for _ in range(300):
            if self.site.component.ready(self.site):
                return
            self.site.wait(0.1)
        raise RuntimeError(f"{self.site.component.title} did not start again:\n{self.tail()}")

    @property
    def pid(self) -> int:
        """The process of its first program."""
        return self.stack.supervisor.states()[self._programs()[0]].pid

    def tail(self) -> str:
        """The end of what it printed."""
        return "\n".join(self.stack.supervisor.tail(name, 40) for name in self._programs())

    def _programs(self) -> list[str]:
        return [program.name for program in self.site.component.programs(self.site)]


def planned(
    root: Path, component: Component, *beside: Component, portal: str | None = None, issuer: str | None = None
) -> Raised:
    """This component, and what stands `beside` it, with their ports, for a portal that need not answer yet; its state
    lies in `root`."""
    known = {each.id: each for each in (component, *beside)}
    stack = Stack(root, known)
    record = stack.plan(known, portal=portal, portal_issuer=issuer)
    site = StackSite(component, stack.layout, record, lambda: known, Interruption(), lambda id, text: None)
    return Raised(site, stack)


@contextmanager
def running(made: Raised) -> Iterator[Raised]:
    """It, ready; its state goes in the end. Raises `LeftOut` where it cannot be had here, and `RuntimeError` with its
    own words where it does not start."""
    id = made.site.component.id
    try:
        outcome = made.stack.up(lambda id, step: None, Interruption(), owner=os.getpid())[id]
        if outcome != "ready":
            told = "; ".join(status.text for status in made.stack.status() if status.text)
            raise (LeftOut if outcome == "left-out" else RuntimeError)(told)
        yield made
    finally:
        made.stack.reset()


@contextmanager
def raised(root: Path, component: Component, *beside: Component, portal: str | None = None) -> Iterator[Raised]:
    """Planned and running."""
    with running(planned(root, component, *beside, portal=portal)) as made:
        yield made
