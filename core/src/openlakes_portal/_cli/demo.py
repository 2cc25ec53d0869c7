"""`openlakes demo`: the console on this machine with embedded defaults, personas and real data; loopback only."""

import argparse
import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from openlakes_portal._cli.serve import run
from openlakes_portal._settings.load import merge
from openlakes_portal._settings.model import default_data_dir

GROUP = "openlakes_portal.demo"
"""`seed(data_dir, progress)`: real data, there before the portal is ready."""
COMPONENTS = "openlakes_portal.demo_components"
"""`plan(data_dir, address, public_url, progress)`: real components, planned now and started behind the first page."""
DEFAULT_PORT = 8600
SEED = "openlakes_portal._cli.demo"


def main(arguments: Sequence[str]) -> int:
    """Seed what is installed, then serve."""
    parser = argparse.ArgumentParser("openlakes demo", description="The console on this machine; loopback only.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="P", help=f"default {DEFAULT_PORT}")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where state lies (default: demo in the data folder)")
    parser.add_argument("--lite", action="store_true", help="leave the real components out")
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65535:
        parser.error(f"--port {options.port} is not between 1 and 65535")
    data: Path = (options.data or default_data_dir() / "demo").expanduser().resolve()
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"openlakes demo: {data} cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    overlay: dict[str, Any] = {
        "auth": {"mode": "demo"},
        "server": {
            "public_url": f"http://openlakes.localhost:{options.port}",
            "title": "Lakehouse demo",
            "environment": "Lakehouse demo",
            "log_level": "warning",
        },
    }
    public_url = overlay["server"]["public_url"]
    work = [(entry, [str(data)]) for entry in entry_points(group=GROUP)]
    if not options.lite:
        words = [str(data), f"http://127.0.0.1:{options.port}", public_url]
        work += [(entry, words) for entry in entry_points(group=COMPONENTS)]
    for entry, words in sorted(work, key=lambda each: (each[0].group, each[0].name)):
        told = _ask(entry, words)
        if told is None:
            return 1
        overlay = merge(overlay, told)
    overrides = {"server": {"host": "127.0.0.1", "port": options.port, "data_dir": str(data)}}
    print(f"\n  OpenLakes   http://openlakes.localhost:{options.port}", flush=True)
    print(f"  data        {data}\n  stop        Ctrl+C\n", flush=True)
    return run(None, overlay, overrides)


def _ask(entry: EntryPoint, words: Sequence[str]) -> dict[str, Any] | None:
    """Run one entry point in a process of its own, so that what it imports does not stay in the server's."""
    command = [sys.executable, "-m", SEED, entry.group, entry.name, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=None, text=True) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = line
            if not line.startswith("{"):
                print(f"  {entry.name}: {line.rstrip()}", flush=True)
    if process.returncode != 0:
        print(f"openlakes demo: what {entry.name!r} makes could not be made (see above)", file=sys.stderr)
        return None
    overlay: dict[str, Any] = json.loads(last)
    return overlay


def _answer(group: str, name: str, data: Path, *words: str) -> int:
    """The entry point's own process: progress as text, at the end its settings as one line of JSON."""
    entry = next(e for e in entry_points(group=group) if e.name == name)
    try:
        result = entry.load()(data, *words, lambda text: print(text, flush=True))
        overlay = asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result
    except OSError as error:
        print(f"{error.strerror or error}: {error.filename or data}", file=sys.stderr)
        return 1
    print(json.dumps(overlay or {}, default=str), flush=True)
    return 0


async def _awaited(value: Any) -> Any:
    return await value


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(_answer(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]))
