"""What a component of the stack is: data, and a few functions that know this one system and nothing of the others.

*Component*: a system that can be started on one machine. *Program*: one process of it. *Site*: where this component
lives in one stack: its folder, ports and secrets, and the sites of what it needs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol


class StackError(RuntimeError):
    """Something that a person can act on; the message says what happened, to what, and what to do next."""


class ProgramFailed(StackError):
    """A program did not do its work; `output` is all that it printed."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


class LeftOut(StackError):
    """The component cannot be had on this machine, and the rest can do without; the message says why."""


@dataclass(frozen=True)
class Program:
    """One process that the supervisor keeps: its words (no shell), its environment beside PATH, HOME and LANG.

    `ports` names those of the component's ports on which it listens: it counts as ready only when the listeners are
    processes of its own. `account` is whom it runs as where the stack runs as root.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    account: str | None = None
    stop_signal: Literal["TERM", "INT", "QUIT"] = "TERM"
    stop_seconds: int = 20
    ports: tuple[str, ...] = ()


class Site(Protocol):
    """One component's place in a stack."""

    @property
    def folder(self) -> Path:
        """A folder of its own (0700); it survives `down`, and goes with `reset`."""

    @property
    def cache(self) -> Path:
        """Downloads and environments that all stacks of this account share: name what you put there by version."""

    @property
    def ports(self) -> Mapping[str, int]:
        """Its ports on 127.0.0.1 by name: chosen free once, then kept."""

    @property
    def portal(self) -> str:
        """The portal's address on loopback, without a trailing slash; its tokens' issuer is `portal_issuer`."""

    @property
    def portal_issuer(self) -> str:
        """The `iss` of the portal's tokens: its public address."""

    @property
    def address(self) -> str:
        """Where it answers: `Component.address`, or the existing installation that takes its place."""

    @property
    def is_external(self) -> bool:
        """Whether an existing installation takes its place: then only `settings` is asked."""

    def secret(self, name: str) -> str:
        """A secret of its own, one of `Component.secrets`: made once, kept in a file with mode 0600."""

    def has(self, component: str) -> bool:
        """Whether a component that it requires or wants is part of this stack, and was not left out."""

    def of(self, component: str) -> "Site":
        """The site of a component that it requires or wants. Raises `LookupError` where it is not there."""

    def say(self, text: str) -> None:
        """Progress in words, for whoever looks: `downloading (45 of 812 MB)`."""

    def wait(self, seconds: float) -> None:
        """Sleep between two looks at something. Raises `StackError` when the stack's work is interrupted."""

    def run(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None, **more: Any) -> str:
        """Run a program to its end and return what it printed; it is ended when the stack's work is interrupted.
        Raises `StackError` with the end of its output. `account` and `cwd` as `Program` has them; `text` is its
        standard input (a statement that holds a password never stands among a process's words); the environment
        stands beside PATH, HOME, LANG and what package managers are configured with."""


def _nothing(site: Site) -> None:
    """What most components have to do at this step."""


def _no_settings(site: Site) -> Mapping[str, Any]:
    return {}


def _available() -> str | None:
    return None


def owner_of(program: str, components: Iterable[str]) -> str | None:
    """Whose program it is: one is named as its component is, or `<component>-<part>`. None: of none of them."""
    owners = [id for id in components if program == id or program.startswith(f"{id}-")]
    return max(owners, key=len, default=None)


@dataclass(frozen=True)
class Component:
    """A system of the stack.

    `requires` are components without which it cannot start: they are ready before it is prepared. `wants` are those
    that it uses where they are there: before it is prepared it is known whether they can be had, and before `finish`
    they are ready, or known not to be.
    `checked_by` names the portal's plugin that shows its health and is installed with it; None: the stack's own.
    `in_demo`: the demo starts it. `needs_portal`: it starts when the portal answers (it fetches the portal's keys at
    its start). `memory` and `disk` are MiB that it takes when it runs, and once it is installed;
    `ready_within` seconds.

    In this order: `unavailable` says at once, without work, why it cannot be had here (None: it can). `install` brings
    it into the cache. `prepare` writes its configuration and migrates; what it requires is ready then. `programs` are
    started; `ready` asks it, on its own port, whether it serves. `finish` does what needs it running. All of them may
    be repeated, and go on after an interruption. `settings` is the part of the portal's settings that it brings; it
    is asked before anything is installed. `forget` removes what it keeps outside its folder, which is given.
    """

    id: str
    title: str
    version: str
    install: Callable[[Site], None]
    programs: Callable[[Site], Sequence[Program]]
    ready: Callable[[Site], bool]
    address: Callable[[Site], str]
    prepare: Callable[[Site], None] = _nothing
    finish: Callable[[Site], None] = _nothing
    settings: Callable[[Site], Mapping[str, Any]] = _no_settings
    unavailable: Callable[[], str | None] = _available
    forget: Callable[[Path], None] | None = None
    requires: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    checked_by: str | None = None
    in_demo: bool = True
    needs_portal: bool = False
    ports: tuple[str, ...] = ("http",)
    secrets: tuple[str, ...] = ()
    memory: int = 100
    disk: int = 100
    ready_within: int = 240
