"""Bringing components up: each in a thread of its own, as soon as what it needs is ready.

Work that takes the machine (installing, migrating) is done by at most `AT_ONCE` components at a time. What is ready
already, as it should be, is left alone.
"""

import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from openlakes_portal_stack.runner.component import (
    Component,
    LeftOut,
    Program,
    ProgramFailed,
    Site,
    StackError,
    owner_of,
)
from openlakes_portal_stack.runner.layout import Layout, Record, write_whole
from openlakes_portal_stack.runner.loopback import answers
from openlakes_portal_stack.runner.progress import Journal, Listener, Phase, read
from openlakes_portal_stack.runner.site import StackSite
from openlakes_portal_stack.runner.supervision import COMING, RUNNING, Supervisor, listening
from openlakes_portal_stack.runner.work import Interrupted, Interruption, base_environment

AT_ONCE = 2
ASK_EVERY = 0.3
LIVES = 4
"""Starts of a program that is not ready yet, after which it counts as failed."""
PORTAL_WITHIN = 600
MEBIBYTE = 1024 * 1024


@dataclass
class Raising:
    """One `up`: the components of `chosen` and their ends."""

    layout: Layout
    record: Record
    chosen: Mapping[str, Component]
    supervisor: Supervisor
    listener: Listener
    interruption: Interruption
    outcomes: dict[str, str] = field(default_factory=dict)
    """`ready`, `failed` or `left-out` by component, as each ends."""

    def __post_init__(self) -> None:
        self._journal = Journal(self.layout, self.listener)
        self._phases: dict[str, Callable[[str], None]] = {}
        self._done = {id: threading.Event() for id in self.chosen}
        self._installed = {id: threading.Event() for id in self.chosen}
        self._were_ready = {id for id in self.chosen if read(self.layout, id).phase == "ready"}
        self._turns = threading.Semaphore(AT_ONCE)

    def run(self) -> Mapping[str, str]:
        """Bring them all up; how each ended. Raises `Interrupted`."""
        for id in self.chosen:
            self._journal.note(id, "waiting")
        with ThreadPoolExecutor(max(1, len(self.chosen)), thread_name_prefix="stack") as pool:
            list(pool.map(self._raise_one, self.chosen.values()))
        if self.interruption.is_asked:
            raise Interrupted("interrupted")
        return self.outcomes

    def _raise_one(self, component: Component) -> None:
        outcome: Phase = "failed"
        text = ""
        try:
            self._steps(component)
            outcome = "ready"
        except LeftOut as reason:
            outcome, text = "left-out", str(reason)
        except Interrupted:
            outcome, text = "stopped", "interrupted"
        except ProgramFailed as error:
            text = f"{error} (all of it: {self._keep(component, error.output)})"
        except StackError as error:
            text = str(error)
        except OSError as error:
            text = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        except Exception as error:
            file = self._keep(component, traceback.format_exc())
            text = f"its definition has a fault ({type(error).__name__}: {error}); see {file}"
        self.outcomes[component.id] = outcome
        self._journal.note(component.id, outcome, text)
        self._installed[component.id].set()
        self._done[component.id].set()

    def _keep(self, component: Component, output: str) -> Path:
        """Where the output of what failed before it ran is to be read."""
        file = self.layout.logs / f"{component.id}-setup.log"
        write_whole(file, output)
        return file

    def _steps(self, component: Component) -> None:
        site = self._site(component)
        if site.is_external:
            return
        if reason := component.unavailable():
            raise LeftOut(reason)
        with self._turns:
            self._note(component, "installing")
            self._room(site, component)
            component.install(site)
        self._installed[component.id].set()
        self._note(component, "waiting")
        self._await(component, component.wants, self._installed)
        self._await(component, component.requires, self._done)
        if lost := [id for id in component.requires if self.outcomes.get(id) != "ready"]:
            raise StackError(f"It needs {_titles(self.chosen, lost)}, which is not there.")
        self._await_portal(component)
        if self._is_up(component, site):
            return
        with self._turns:
            self._note(component, "preparing")
            component.prepare(site)
        self._start(component, site)
        self._await_ready(component, site)
        self._note(component, "finishing")
        self._await(component, component.wants, self._done, "it serves, and waits for")
        component.finish(site)

    def _note(self, component: Component, phase: Phase, text: str = "") -> None:
        self._phases[component.id] = lambda words: self._journal.note(component.id, phase, words)
        self._journal.note(component.id, phase, text)

    def _tell(self, id: str, text: str) -> None:
        if tell := self._phases.get(id):
            tell(text)

    def _site(self, component: Component) -> StackSite:
        return StackSite(component, self.layout, self.record, self._present, self.interruption, self._tell)

    def _present(self) -> Mapping[str, Component]:
        return {id: one for id, one in self.chosen.items() if self.outcomes.get(id, "ready") == "ready"}

    def _room(self, site: Site, component: Component) -> None:
        site.cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(site.cache).free // MEBIBYTE
        if free < component.disk:
            raise StackError(
                f"{component.title} takes about {component.disk} MiB, and only {free} MiB are free where "
                f"{site.cache} lies: make room, or name another folder with OPENLAKES_CACHE."
            )

    def _await(
        self, component: Component, ids: Sequence[str], event: Mapping[str, threading.Event], words: str = "for"
    ) -> None:
        waited = [id for id in ids if id in self.chosen and not event[id].is_set()]
        if waited:
            self._tell(component.id, f"{words} {_titles(self.chosen, waited)}")
        for id in waited:
            while not event[id].wait(ASK_EVERY):
                self.interruption.wait(0)

    def _await_portal(self, component: Component) -> None:
        if not component.needs_portal or answers(f"{self.record.portal}/.well-known/jwks.json"):
            return
        self._note(component, "waiting", f"for the portal at {self.record.portal}: it takes its keys from there")
        deadline = time.monotonic() + PORTAL_WITHIN
        while not answers(f"{self.record.portal}/.well-known/jwks.json"):
            if time.monotonic() > deadline:
                raise StackError(
                    f"{component.title} takes the portal's keys from {self.record.portal}, and nobody answered there "
                    f"for {PORTAL_WITHIN} s: start `openlakes serve`, or say where it is with --portal."
                )
            self.interruption.wait(1)

    def _is_up(self, component: Component, site: Site) -> bool:
        """Whether it was brought up to its end, and runs as it is defined now."""
        states = self.supervisor.states()
        if component.id not in self._were_ready or component.id not in {owner_of(name, self.chosen) for name in states}:
            return False
        programs = component.programs(site)
        if any(program.name not in states or self._put(component, program) for program in programs):
            return False
        return self._owns_ports(component, site, programs) and component.ready(site)

    def _put(self, component: Component, program: Program) -> bool:
        # What it was prepared for: where that is another, it is prepared and started anew.
        beside = " ".join(id for id in component.wants if id in self._present())
        portal = f"portal {self.record.portal} as {self.record.portal_issuer}"
        about = f"{component.id} {component.version}, {portal}, beside {beside or 'nothing'}"
        home = self.layout.component(component.id)
        return self.supervisor.put(program, base_environment(home), about)

    def _start(self, component: Component, site: Site) -> None:
        self._note(component, "starting")
        for program in component.programs(site):
            self._put(component, program)
            self.supervisor.run(program.name)

    def _await_ready(self, component: Component, site: Site) -> None:
        programs = component.programs(site)
        deadline = time.monotonic() + component.ready_within
        lives: dict[str, set[int]] = {program.name: set() for program in programs}
        while not (self._owns_ports(component, site, programs) and component.ready(site)):
            states = self.supervisor.states()
            for program in programs:
                state = states.get(program.name)
                lives[program.name].add(state.started if state else 0)
                # The supervisor gives up only on what ends at once; one that ends after a while it starts for ever.
                if state is None or state.state not in (*RUNNING, *COMING) or len(lives[program.name]) > LIVES:
                    self.supervisor.stop([each.name for each in programs])
                    raise StackError(self._why(program, "ended again and again"))
            if time.monotonic() > deadline:
                self.supervisor.stop([each.name for each in programs])  # what may become ready unseen helps nobody
                raise StackError(self._why(programs[0], f"was not ready after {component.ready_within} s"))
            self.interruption.wait(ASK_EVERY)

    def _owns_ports(self, component: Component, site: Site, programs: Sequence[Program]) -> bool:
        """Whether each program listens itself on the ports it names: whoever else answers there is not it."""
        states = self.supervisor.states()
        for program in programs:
            state = states.get(program.name)
            if state is None or state.state not in RUNNING:
                return False
            if not {site.ports[name] for name in program.ports} <= listening(state.pid):
                return False
        return True

    def _why(self, program: Program, what: str) -> str:
        log = self.layout.logs / f"{program.name}.log"
        said = " / ".join(line.strip() for line in self.supervisor.tail(program.name, 6).splitlines() if line.strip())
        return f"{program.name} {what}. The end of {log}: {said[-900:] or 'nothing'}"


def _titles(components: Mapping[str, Component], ids: Iterable[str]) -> str:
    return " and ".join(components[id].title if id in components else id for id in ids)
