"""`python -m bench [name ...]`: every goal that applies to what is built, its figure, its yardstick, whether it is
reached; or only those of the benches that are named.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import audit, gateway, recovery, revocation, servers, sessions, sign_ins, streams
from bench.figures import ROUNDS, Figure, median_of, median_of_pairs

HERE = Path(__file__).parent.parent.parent


def p5(folder: Path) -> Iterator[Figure]:
    """An API route with session, permission and JSON, beside raw ASGI on the same server; 200 routes beside one."""
    with (
        servers.raw(folder / "raw") as raw,
        servers.portal(folder / "one", {"acme-one": 1}) as one,
        servers.portal(folder / "many", {"acme-one": 200}) as many,
    ):
        few_request = one.request("/api/plugins/acme-one/things0", one.sign_in("viewer"))
        many_request = many.request("/api/plugins/acme-one/things199", many.sign_in("viewer"))
        rounds = [
            (
                servers.load(raw, raw.request("/")),
                servers.load(one, few_request),
                servers.load(many, many_request),
            )
            for _ in range(ROUNDS)
        ]
    yield Figure("P5", "API route / raw ASGI, requests a second", median_of_pairs(rounds, 1, 0), 0.4, True)
    yield Figure("P5", "cost of a request with 200 routes / with one", median_of_pairs(rounds, 1, 2), 1.2, False)


YARDSTICK = (
    "import pydantic, sqlalchemy, sqlalchemy.ext.asyncio, alembic.config, alembic.command, alembic.script, aiosqlite\n"
    "import asyncio, sys\n"
    "async def main():\n"
    "    engine = sqlalchemy.ext.asyncio.create_async_engine('sqlite+aiosqlite:///' + sys.argv[1])\n"
    "    async with engine.connect() as connection:\n"
    "        await connection.execute(sqlalchemy.text('SELECT 1'))\n"
    "    await engine.dispose()\n"
    "asyncio.run(main())\n"
)


def timed(code: str, *arguments: str) -> float:
    """Seconds of a process that runs this code."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    return time.perf_counter() - begin


def p9(folder: Path) -> Iterator[Figure]:
    """Start to ready beside a process that opens the database with the store's libraries; what 50 plugins add."""

    def start(name: str, plugins: dict[str, int]) -> float:
        path = folder / name
        if not (path / "site").exists():
            with servers.portal(path, plugins):
                pass
        return _again(path)

    rounds = []
    for _ in range(ROUNDS):
        yardstick = timed(YARDSTICK, str(folder / "yardstick.db"))
        rounds.append((yardstick, start("alone", {}), start("fifty", {f"acme-{n}": 1 for n in range(50)})))
    starlette = median_of(lambda: servers.starlette_start(folder / "starlette"))
    yield Figure(
        "P9", "start to ready / imports of the store and opening it", median_of_pairs(rounds, 1, 0), 1.5, False
    )
    added = statistics.median(r[2] - r[1] for r in rounds)
    yield Figure("P9", "what 50 plugins add / a bare Starlette start", added / starlette, 0.25, False)


def _again(folder: Path) -> float:
    settings = json.loads((folder / "settings.json").read_text())
    port = settings["server"]["port"]
    command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(folder / "settings.json")]
    env = {"PYTHONPATH": str(folder / "site")} if (folder / "site").exists() else {}
    with servers.started(command, port, "/api/ready", env) as running:
        return running.ready_after


def p8(folder: Path) -> Iterator[Figure]:
    """Open streams with an event a second each, beside a raw ASGI probe on the same server."""
    with servers.raw(folder / "raw-streams") as raw, servers.portal(folder / "streams", {"acme-one": 1}) as portal:
        ask = portal.request("/api/plugins/acme-one/ticks", portal.sign_in("viewer"))
        ours, theirs = portal.request("/api/live"), raw.request("/")
        rounds = [
            (streams.cost(portal, ask, ours), streams.cost(raw, raw.request("/ticks"), theirs)) for _ in range(ROUNDS)
        ]
    memory = rounds[0][0].memory / rounds[0][1].memory  # later rounds reuse what the first one took
    seconds = median_of_pairs([(mine.seconds, plain.seconds) for mine, plain in rounds], 0, 1)
    waits = median_of_pairs([(mine.wait, plain.wait) for mine, plain in rounds], 0, 1)
    what = f"{streams.COUNT} streams"
    yield Figure("P8", f"memory of {what} / of a raw probe", memory, 2, False)
    yield Figure("P8", f"CPU of {what} / of a raw probe", seconds, 1.3, False)
    yield Figure("P8", f"p99 of a small request beside {what} / beside those of a raw probe", waits, 1.0, False)
    yield Figure("P8", f"connections left after {what} were closed", max(mine.left for mine, _ in rounds), 0, False)


def p11() -> Iterator[Figure]:
    """What a first visit loads, in kB of brotli: the console's own build check."""
    done = subprocess.run(["node", "core/ui/build/budget.mjs"], cwd=HERE, capture_output=True, text=True, check=False)
    size = float(done.stdout.split(" files, ")[1].split(" kB")[0])
    yield Figure("P11", "first load of the console, kB brotli", size, 250, False)


def p6() -> Iterator[Figure]:
    """The benches of plugins print their own figures."""
    for bench in sorted(HERE.glob("plugins/*/benches/*.py")):
        path = os.pathsep.join(str(HERE / folder) for folder in ("tools", "tests"))
        subprocess.run([sys.executable, str(bench)], check=True, env={**os.environ, "PYTHONPATH": path})
    yield from ()


BENCHES: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "requests": p5,
    "streams": p8,
    "start": p9,
    "console": lambda _: p11(),
    "sessions": sessions.measure,
    "revocation": revocation.measure,
    "recovery": recovery.measure,
    "audit": audit.measure,
    "sign-ins": sign_ins.measure,
    "gateway": gateway.measure,
    "plugins": lambda _: p6(),
}


def use_bytecode() -> None:
    """Servers start as they do where they are installed, also where Python is told to keep no bytecode: compiling
    costs more than the rest of a start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(HERE / "build" / "bytecode"))


def main(names: Sequence[str]) -> int:
    """Measure these, or everything. The exit status says whether all could be measured, not whether all goals are
    reached."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"There is no bench {unknown[0]!r}; there are {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    use_bytecode()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before it begins", flush=True)
    for name in names or BENCHES:
        with tempfile.TemporaryDirectory(prefix="openlakes-bench-") as folder:
            for figure in BENCHES[name](Path(folder)):
                print(figure, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
