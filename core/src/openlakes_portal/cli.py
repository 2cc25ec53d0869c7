"""`openlakes`: the command line. Each command is a module of `_cli`; further ones come by the entry-point group
`openlakes_portal.commands`. Exit status: 0 done, 1 found something wrong, 2 wrong usage."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points

from openlakes_portal import __version__

COMMANDS = {
    "serve": "the console",
    "demo": "the console on this machine, with embedded defaults and personas",
    "plugin": "installed plugins, the conformance kit, a new plugin",
    "config": "the settings: their schema, and what is in force",
    "keys": "the keys that sign tokens: list, rotate",
    "audit": "the audit log: export, verify",
    "doctor": "what is wrong with this installation, and what to do",
    "bundle": "the air-gapped bundle",
}
ELSEWHERE = {"stack": "the distribution openlakes-portal-stack: pip install it beside the portal"}
GROUP = "openlakes_portal.commands"

Command = Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    more = {entry.name: entry for entry in entry_points(group=GROUP)}
    if given and given[0] in COMMANDS:
        command: Command = import_module(f"openlakes_portal._cli.{given[0]}").main
    elif given and given[0] in more:
        command = more[given[0]].load()
    elif given and given[0] in ELSEWHERE:
        print(f"openlakes {given[0]}: comes with {ELSEWHERE[given[0]]}.", file=sys.stderr)
        return 2
    else:
        return _top_level(given, sorted(more))
    try:
        return command(given[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def _top_level(given: list[str], more: list[str]) -> int:
    width = max(map(len, [*COMMANDS, *more]))
    listing = [f"  {name:<{width}}  {about}" for name, about in COMMANDS.items()]
    listing += [f"  {name:<{width}}  (installed by a plugin)" for name in more]
    parser = argparse.ArgumentParser(
        "openlakes",
        usage="openlakes COMMAND [OPTIONS]",
        description="OpenLakes Portal: the console of the open lakehouse.",
        epilog="commands:\n" + "\n".join(listing) + "\n\n`openlakes COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"openlakes {__version__}")
    if given and given[0].startswith("-"):
        parser.parse_args(given)
    if given:
        import difflib

        close = difflib.get_close_matches(given[0], [*COMMANDS, *more], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        print(f"openlakes: there is no command {given[0]!r}{hint}", file=sys.stderr)
        return 2
    parser.print_help()
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
