"""`openlakes stack`: the real components on this machine, without containers."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from openlakes_portal_stack.components import NAMES, all_components
from openlakes_portal_stack.runner.component import StackError
from openlakes_portal_stack.runner.progress import Progress
from openlakes_portal_stack.runner.stack import ComponentStatus, Stack
from openlakes_portal_stack.runner.work import Interrupted, Interruption

MEBIBYTE = 1024 * 1024
WELL = ("ready", "external", "left-out")


def default_folder() -> Path:
    """Where a stack's state lies when nothing is said: beside the portal's (XDG base directory specification)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "openlakes" / "stack"


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand. Exit status 0: done; 1: something failed, in words; 2: wrong usage."""
    options = _parser().parse_args(arguments)
    folder: Path = (options.folder or default_folder()).expanduser().resolve()
    command: Callable[[Stack, argparse.Namespace], int] = options.command
    try:
        return command(Stack(folder, all_components()), options)
    except Interrupted:
        print("openlakes stack: interrupted; `openlakes stack up` goes on from here.", file=sys.stderr)
        return 130
    except StackError as error:
        print(f"openlakes stack: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "openlakes stack",
        description="The real components on this machine, without containers, on loopback only.",
        epilog=f"components: {', '.join(NAMES)}",
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help=f"where its state lies (default {default_folder()})")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    up = commands.add_parser("up", help="install and start components, and what they need")
    up.add_argument(
        "components", nargs="*", metavar="COMPONENT", help="default: those of the last time, else the demo's"
    )
    up.add_argument("--without", action="append", default=[], metavar="COMPONENT", help="leave one out")
    up.add_argument(
        "--external",
        action="append",
        default=[],
        metavar="COMPONENT=ADDRESS",
        help="use an existing installation in its place",
    )
    up.add_argument("--portal", metavar="URL", help="the portal's address on this machine (it verifies its tokens)")
    up.add_argument("--issuer", metavar="URL", help="the portal's public address, as its tokens name it")
    up.add_argument("--owner", type=int, metavar="PID", help="end everything when this process ends")
    up.add_argument("--planned", action="store_true", help="only what was planned before; for programs")
    up.set_defaults(command=_up)
    down = commands.add_parser("down", help="end every process; data stay")
    down.set_defaults(command=lambda stack, options: _down(stack))
    status = commands.add_parser("status", help="what runs: state, version, port, memory, since")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(command=_status)
    logs = commands.add_parser("logs", help="what components printed")
    logs.add_argument("components", nargs="*", metavar="COMPONENT", help="default: all")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they print more")
    logs.add_argument("-n", "--lines", type=int, default=40, help="how many lines to begin with (default 40)")
    logs.set_defaults(command=_logs)
    reset = commands.add_parser("reset", help="end everything and delete its data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(command=_reset)
    settings = commands.add_parser("settings", help="what the portal must know of it, as a settings file (JSON)")
    settings.set_defaults(command=_settings)
    return parser


def _up(stack: Stack, options: argparse.Namespace) -> int:
    if not options.planned:
        _plan(stack, options)
    was_running = stack.supervisor.is_running()
    interruption = Interruption()
    try:
        with _ending_on_signals(interruption):
            outcomes = stack.up(_printer(stack), interruption, options.owner)
    except Interrupted:
        if not was_running:
            print("  ending what was started", flush=True)
            stack.down()
        raise
    failed = [id for id, outcome in outcomes.items() if outcome not in WELL]
    left_out = [id for id, outcome in outcomes.items() if outcome == "left-out"]
    if not failed:
        total = sum(one.memory for one in stack.status()) // MEBIBYTE
        print(f"  the stack is ready ({total:,} MiB of memory){_beside(left_out)}", flush=True)
    return 1 if failed else 0


def _beside(left_out: Sequence[str]) -> str:
    return f"; left out: {', '.join(left_out)}" if left_out else ""


def _plan(stack: Stack, options: argparse.Namespace) -> None:
    external = dict(_external(word) for word in options.external)
    wanted = options.components or list(stack.layout.read().components) or _of_the_demo(stack)
    unknown = [name for name in [*wanted, *options.without, *external] if name not in stack.known]
    if unknown:
        raise StackError(f"There is no component {unknown[0]!r}; there are {', '.join(stack.known)}.")
    chosen = [name for name in wanted if name not in options.without]
    stack.plan(chosen, external=external, portal=options.portal, portal_issuer=options.issuer)


def _of_the_demo(stack: Stack) -> list[str]:
    """All but those that say how people sign in: that is chosen by name."""
    return [name for name, component in stack.known.items() if component.in_demo]


def _external(word: str) -> tuple[str, str]:
    name, _, address = word.partition("=")
    if not address.startswith(("http://", "https://", "postgresql://")):
        raise StackError(f"--external wants COMPONENT=ADDRESS, and was given {word!r}.")
    return name, address


def _down(stack: Stack) -> int:
    stack.down()
    print("  nothing of the stack runs; its data are kept", flush=True)
    return 0


def _status(stack: Stack, options: argparse.Namespace) -> int:
    found = stack.status()
    if options.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    elif not found:
        print("There is no stack yet: `openlakes stack up` makes one.")
    else:
        _print_table(found)
    return 1 if any(one.state in ("failed", "crashed") for one in found) else 0


def _print_table(found: Sequence[ComponentStatus]) -> None:
    head = ("component", "state", "version", "memory", "since", "address")
    rows = [
        (one.title, one.state, one.version, _size(one.memory), one.since.replace("+00:00", "Z"), one.address)
        for one in found
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row, about in zip([head, *rows], ["", *(one.text for one in found)], strict=True):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if about:
            print(f"    {about}")
    print(f"memory of all: {_size(sum(one.memory for one in found)) or '0 MiB'}")


def _size(amount: int) -> str:
    return f"{amount // MEBIBYTE:,} MiB" if amount else ""


def _logs(stack: Stack, options: argparse.Namespace) -> int:
    names = options.components or list(stack.known)
    if unknown := [name for name in names if name not in stack.known]:
        raise StackError(f"There is no component {unknown[0]!r}; there are {', '.join(stack.known)}.")
    files = [file for name in names for file in stack.logs(name)]
    if not files:
        print("Nothing was printed yet.", file=sys.stderr)
        return 1
    words = ["tail", "-n", str(options.lines), *(["-F"] if options.follow else []), *map(str, files)]
    return subprocess.run(words).returncode


def _reset(stack: Stack, options: argparse.Namespace) -> int:
    if not options.yes:
        print(f"This ends the stack and deletes all its data in {stack.layout.root}.")
        try:
            if input("Type `reset` to go on: ").strip() != "reset":
                print("Nothing was done.")
                return 1
        except EOFError:
            print("\nNothing was done: say --yes where nobody can answer.", file=sys.stderr)
            return 1
    stack.reset()
    print("  deleted", flush=True)
    return 0


def _settings(stack: Stack, options: argparse.Namespace) -> int:
    print(json.dumps(stack.settings(), indent=2))
    return 0


def _printer(stack: Stack) -> Callable[[str, Progress], None]:
    lock = threading.Lock()

    def tell(id: str, step: Progress) -> None:
        if step.phase == "waiting" and not step.text:
            return
        with lock:
            words = f": {step.text}" if step.text else ""
            print(f"  {stack.known[id].title:<14} {step.phase}{words}", flush=True)

    return tell


@contextmanager
def _ending_on_signals(interruption: Interruption) -> Iterator[None]:
    """Ctrl+C and SIGTERM end the work in order; another one ends this command at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not in the handler itself: it may interrupt a thread that holds the lock which is needed.
        threading.Thread(target=interruption.ask, daemon=True).start()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
