"""One stack on this machine: plan it, bring it up, look at it, take it down, forget it."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from openlakes_portal_stack.runner import guardian, progress
from openlakes_portal_stack.runner.component import Component, StackError, owner_of
from openlakes_portal_stack.runner.layout import Layout, Record, with_ports
from openlakes_portal_stack.runner.progress import ON_ITS_WAY, Listener
from openlakes_portal_stack.runner.raising import Raising
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.supervision import RUNNING, ProcessState, Supervisor, memory
from openlakes_portal_stack.runner.work import Interruption, base_environment

PLUGINS = "openlakes_portal.plugins"


@dataclass(frozen=True)
class ComponentStatus:
    """A component as it is now. `state` is a phase of `progress`, or `crashed`; `memory` in bytes; `since` RFC 3339."""

    id: str
    title: str
    version: str
    state: str
    text: str
    since: str
    address: str
    ports: Mapping[str, int]
    memory: int


class Stack:
    """The stack whose things lie in `root`, made of some of the `known` components."""

    def __init__(self, root: Path, known: Mapping[str, Component]) -> None:
        self.layout = Layout(root)
        self.known = known
        self.supervisor = Supervisor(self.layout)

    def plan(
        self,
        wanted: Iterable[str],
        *,
        external: Mapping[str, str] | None = None,
        portal: str | None = None,
        portal_issuer: str | None = None,
    ) -> Record:
        """Choose components (with what they need) and their ports, and remember them. Raises `StackError`."""
        self.layout.make()
        with self._alone():
            old = self.layout.read()
            names = self._with_needs([*wanted, *(external or {})], set(external or {}))
            running = {id for id in names if self._runs(id)}
            record = replace(
                old,
                components=tuple(names),
                external=dict(external or {}),
                portal=portal or old.portal,
                portal_issuer=portal_issuer or portal or old.portal_issuer,
            )
            record = with_ports(record, [self.known[id] for id in names], running)
            self.layout.write(record)
        return record

    def up(self, listener: Listener, interruption: Interruption, owner: int | None = None) -> Mapping[str, str]:
        """Bring up what was planned; how each component ended. With `owner`, a process id, all of it ends when that
        process does. Raises `StackError`, `Interrupted`."""
        with self._alone():
            record = self.layout.read()
            watcher = guardian.program(owner, self.layout) if owner is not None else None
            self.supervisor.start()
            if watcher is not None:
                self.supervisor.put(watcher, base_environment(self.layout.root), "guardian")
                self.supervisor.run(watcher.name)
            return Raising(self.layout, record, self._chosen(record), self.supervisor, listener, interruption).run()

    def down(self) -> None:
        """End everything, what depends on others first; data stay. Raises `StackError`."""
        if self.layout.root.is_dir():
            with self._alone():
                self._end()

    def _end(self) -> None:
        if not self.supervisor.is_running():
            self._note_stopped()
            return
        for level in self._from_the_top():
            names = [name for name in self.supervisor.states() if self._component_of(name) in level]
            self.supervisor.stop(names)
        self.supervisor.shut_down()
        self._note_stopped()

    def reset(self) -> None:
        """End everything and forget the data of every component, also where the stack's folder was deleted by hand:
        what runs as another account lies elsewhere. Raises `StackError`."""
        if not self.layout.root.is_dir():
            self._forget()
            return
        with self._alone():
            self._end()
            self._forget()
            shutil.rmtree(self.layout.root, ignore_errors=True)

    def _forget(self) -> None:
        for id, component in self.known.items():
            if component.forget is not None:
                component.forget(self.layout.component(id))

    def settings(self) -> dict[str, Any]:
        """What the planned components tell the portal, as its settings file is shaped."""
        record = self.layout.read()
        possible = {
            id: one for id, one in self._chosen(record).items() if id in record.external or one.unavailable() is None
        }
        shown = {id: self._shown(one, record, possible) for id, one in possible.items()}
        told: dict[str, Any] = {"plugins": {"stack": {"folder": str(self.layout.root), "components": shown}}}
        for component in possible.values():
            told = merged(told, component.settings(self._site(component, record, possible)))
        return told

    def _shown(self, component: Component, record: Record, possible: Mapping[str, Component]) -> dict[str, Any]:
        site = self._site(component, record, possible)
        doors = [urlsplit(site.address).netloc] if site.is_external else [f"127.0.0.1:{p}" for p in site.ports.values()]
        checked_by = component.checked_by if component.checked_by and is_installed(component.checked_by) else None
        return {"title": component.title, "addresses": doors, "checked_by": checked_by}

    def status(self, *, with_memory: bool = True) -> list[ComponentStatus]:
        """Every planned component, in the order in which components are listed. Measuring memory takes its time: it
        is 0 without."""
        record = self.layout.read()
        states = self.supervisor.states()
        chosen = self._chosen(record)
        found = [self._status(one, record, chosen, states) for one in chosen.values()]
        return [replace(one, memory=self._memory(one.id, states)) for one in found] if with_memory else found

    def _memory(self, id: str, states: Mapping[str, ProcessState]) -> int:
        return sum(memory(one.pid) for name, one in states.items() if one.pid and self._component_of(name) == id)

    def logs(self, id: str) -> list[Path]:
        """The log files of a component's programs."""
        return [file for file in sorted(self.layout.logs.glob("*.log")) if self._component_of(file.stem) == id]

    def _status(
        self,
        component: Component,
        record: Record,
        chosen: Mapping[str, Component],
        states: Mapping[str, ProcessState],
    ) -> ComponentStatus:
        step = progress.read(self.layout, component.id)
        mine = [state for name, state in states.items() if self._component_of(name) == component.id]
        site = self._site(component, record, chosen)
        state, text = str(step.phase), step.text
        if site.is_external:
            state, text = "external", "an existing installation"
        elif step.phase == "ready" and not mine:
            state, text = "stopped", ""
        elif step.phase in ON_ITS_WAY and not states:
            state, text = "stopped", "interrupted; `openlakes stack up` goes on"
        elif step.phase == "ready" and (lost := [one for one in mine if one.state not in RUNNING]):
            state, text = "crashed", f"{lost[0].name}: {lost[0].description}"
        return ComponentStatus(
            component.id,
            component.title,
            component.version,
            state,
            text,
            step.since,
            site.address,
            {} if site.is_external else dict(site.ports),
            0,
        )

    def _site(self, component: Component, record: Record, chosen: Mapping[str, Component]) -> StackSite:
        return StackSite(component, self.layout, record, lambda: chosen, Interruption(), lambda id, text: None)

    def _with_needs(self, wanted: Iterable[str], external: set[str]) -> list[str]:
        found: set[str] = set()
        waiting = list(wanted)
        while waiting:
            id = waiting.pop()
            if id not in self.known:
                raise StackError(f"There is no component {id!r}; there are {', '.join(self.known)}.")
            if id not in found:
                found.add(id)
                waiting += () if id in external else self.known[id].requires
        return [id for id in self.known if id in found]

    def _runs(self, id: str) -> bool:
        return any(self._component_of(name) == id and state.pid for name, state in self.supervisor.states().items())

    def _component_of(self, program: str) -> str | None:
        return owner_of(program, self.known)

    def _chosen(self, record: Record) -> dict[str, Component]:
        """What was planned, of what is known now."""
        return {id: self.known[id] for id in record.components if id in self.known}

    def _from_the_top(self) -> Iterator[set[str]]:
        left = set(self.known)
        while left:
            needed = {need for id in left for need in (*self.known[id].requires, *self.known[id].wants)}
            level = (left - needed) or left  # a circle is ended as one
            yield level
            left -= level

    def _note_stopped(self) -> None:
        journal = progress.Journal(self.layout, lambda id, step: None)
        for file in self.layout.progress.glob("[!.]*.json"):
            if progress.read(self.layout, file.stem).phase not in ("failed", "left-out"):
                journal.note(file.stem, "stopped")

    def _opened(self, file: Path) -> TextIO:
        try:
            return file.open("a+")
        except OSError as error:
            raise StackError(f"The stack in {self.layout.root} cannot be used: {error.strerror}.") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time changes a stack. Raises `StackError` at once where another does."""
        file = self.layout.root / "lock"
        with self._opened(file) as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.seek(0)
                raise StackError(
                    f"Another command is at work on the stack in {self.layout.root} "
                    f"(process {held.read().strip() or 'unknown'}): wait until it is done, or end it."
                ) from None
            if not file.exists() or not os.path.samestat(os.fstat(held.fileno()), file.stat()):
                raise StackError(f"The stack in {self.layout.root} was removed meanwhile.")
            held.truncate(0)
            held.write(str(os.getpid()))
            held.flush()
            yield


def is_installed(plugin: str) -> bool:
    """Whether a plugin of the portal is installed beside the stack."""
    return bool(entry_points(group=PLUGINS, name=plugin))


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        mine = both.get(key)
        both[key] = merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return both
