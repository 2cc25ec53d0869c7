"""A component's place in a stack, as the runner gives it to the component's functions."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openlakes_portal_stack.runner.component import Component
from openlakes_portal_stack.runner.fetch import cache_dir
from openlakes_portal_stack.runner.layout import Layout, Record, write_whole
from openlakes_portal_stack.runner.work import Interruption, fetching_environment


@dataclass(frozen=True)
class StackSite:
    """One component's `Site`. `others` holds every component of the stack that was not left out."""

    component: Component
    layout: Layout
    record: Record
    others: Callable[[], Mapping[str, Component]]
    interruption: Interruption
    tell: Callable[[str, str], None]

    @property
    def folder(self) -> Path:
        folder = self.layout.component(self.component.id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    @property
    def cache(self) -> Path:
        return cache_dir()

    @property
    def ports(self) -> Mapping[str, int]:
        return {name: self.record.ports[f"{self.component.id}.{name}"] for name in self.component.ports}

    @property
    def portal(self) -> str:
        return self.record.portal

    @property
    def portal_issuer(self) -> str:
        return self.record.portal_issuer

    @property
    def is_external(self) -> bool:
        return self.component.id in self.record.external

    @property
    def address(self) -> str:
        if self.is_external:
            return self.record.external[self.component.id]
        return self.component.address(self)

    def secret(self, name: str) -> str:
        if name not in self.component.secrets:
            raise LookupError(f"{self.component.id} names no secret {name!r}")
        file = self.folder / "secrets" / name
        try:
            return file.read_text()
        except FileNotFoundError:
            write_whole(file, secrets.token_hex(24))
            return file.read_text()

    def has(self, component: str) -> bool:
        return component in self._neighbours()

    def of(self, component: str) -> "StackSite":
        return StackSite(
            self._neighbours()[component], self.layout, self.record, self.others, self.interruption, self.tell
        )

    def say(self, text: str) -> None:
        self.tell(self.component.id, text)

    def wait(self, seconds: float) -> None:
        self.interruption.wait(seconds)

    def run(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None, **more: Any) -> str:
        return self.interruption.run(command, {**fetching_environment(self.folder), **(environment or {})}, **more)

    def _neighbours(self) -> Mapping[str, Component]:
        known = {*self.component.requires, *self.component.wants}
        return {id: component for id, component in self.others().items() if id in known}


def unprivileged_account() -> str | None:
    """Whom programs run as that refuse to be root: nobody else's account where the stack runs as root."""
    return "nobody" if os.geteuid() == 0 else None
