"""The fork server and its children: a process a statement, light to make, sure to end."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openlakes_portal.spi import Statement, Unavailable
from openlakes_portal_trino.embedded.job import Job, Limits, Message
from openlakes_portal_trino.embedded.process import Worker, Workers

from .conftest import SECRET_PLACE, Ask, MakeEngine, person

ENDLESS = "SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)"


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Workers whose fork server is ready."""
    made = Workers(60.0)
    made.take().discard()
    yield made
    made.close()


class Run:
    """One job in one worker; what it said, and how it ended."""

    def __init__(self, worker: Worker, scratch: Path, sql: str) -> None:
        scratch.mkdir()
        limits = Limits(memory=2**29, threads=2, temp=0, rows=10, spool=2**20, cell=2**20)
        self.job = Job(sql, str(scratch / "spool"), str(scratch), limits, catalogs={}, grants="{}", user="x")
        self.said: list[Message] = []
        self.spoke, self.over = threading.Event(), threading.Event()
        self.status: int | None = None
        self.words = ""
        worker.begin(self.job, self._on_message, self._on_end)

    def _on_message(self, message: Message) -> None:
        self.said.append(message)
        self.spoke.set()

    def _on_end(self, status: int, words: str) -> None:
        self.status, self.words = status, words
        self.over.set()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.01)


def server_of(workers: Workers) -> int:
    assert workers.server is not None
    assert workers.server.pid is not None
    return workers.server.pid


def test_a_statement_runs_in_a_fresh_child_of_one_server(workers: Workers, tmp_path: Path) -> None:
    first, second = workers.take(), workers.take()
    pids = {first.pid, second.pid}
    assert len(pids) == 2
    for pid in pids:
        assert f"PPid:\t{server_of(workers)}\n" in Path(f"/proc/{pid}/status").read_text()
    runs = [Run(worker, tmp_path / str(worker.pid), "SELECT 42") for worker in (first, second)]
    for run in runs:
        assert run.over.wait(20)
        assert (run.status, run.said[-1].kind, run.said[-1].rows) == (0, "finished", 1)
    assert all(is_gone(pid) for pid in pids)


def test_the_fork_server_has_one_thread_and_no_file_of_a_statement(workers: Workers, tmp_path: Path) -> None:
    """What a thread had locked when it was forked would stay locked in the child for ever."""
    worker = workers.take()
    run = Run(worker, tmp_path / "run", "SELECT 42")
    assert run.over.wait(20)
    server = Path(f"/proc/{server_of(workers)}")
    assert len(list((server / "task").iterdir())) == 1
    open_files = {os.readlink(file) for file in (server / "fd").iterdir()}
    assert len([name for name in open_files if name.startswith("socket:")]) == 1, open_files
    assert not [name for name in open_files if str(tmp_path) in name]


def test_the_import_of_duckdb_alone_starts_threads() -> None:
    """Why the fork server closes DuckDB's default connection; where this fails, that can go."""
    code = "import os, duckdb; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1 or os.cpu_count() == 1


def test_a_second_statement_starts_in_a_fraction_of_the_imports(workers: Workers) -> None:
    began = time.monotonic()
    workers.take().discard()
    assert time.monotonic() - began < 0.5


def test_a_dead_fork_server_is_replaced_and_its_children_are_gone(workers: Workers, tmp_path: Path) -> None:
    server, worker = server_of(workers), workers.take()
    run = Run(worker, tmp_path / "run", ENDLESS)
    assert run.spoke.wait(20)
    os.kill(server, signal.SIGKILL)
    assert run.over.wait(10)
    assert is_gone(worker.pid)
    assert run.status == -signal.SIGKILL
    again = Run(workers.take(), tmp_path / "again", "SELECT 42")
    assert again.over.wait(20)
    assert again.status == 0
    assert server_of(workers) != server


def test_a_stopped_worker_can_still_be_killed(workers: Workers, tmp_path: Path) -> None:
    worker = workers.take()
    run = Run(worker, tmp_path / "run", ENDLESS)
    assert run.spoke.wait(20)
    os.kill(worker.pid, signal.SIGSTOP)
    worker.kill()
    assert run.over.wait(5)
    assert is_gone(worker.pid)


def test_the_last_words_of_a_crash_are_kept(workers: Workers, tmp_path: Path) -> None:
    worker = workers.take()
    run = Run(worker, tmp_path / "run", ENDLESS)
    assert run.spoke.wait(20)
    with run.job.words.open("a") as file:
        file.write("a library complains\n")
    os.kill(worker.pid, signal.SIGSEGV)
    assert run.over.wait(5)
    assert (run.status, run.words) == (-signal.SIGSEGV, "a library complains\n")


def test_a_server_that_nobody_needs_ends_and_comes_back(tmp_path: Path) -> None:
    workers = Workers(0.0)
    worker = workers.take()
    server = server_of(workers)
    workers.cool()
    assert not is_gone(server), "a server with a child is needed"
    worker.discard()
    workers.cool()
    wait_until_gone(server)
    workers.take().discard()
    workers.close()
    with pytest.raises(Unavailable):
        workers.take()


@pytest.mark.parametrize("how", ["os._exit(9)", "os.kill(os.getpid(), 9)"])
def test_nothing_outlives_the_portal(tmp_path: Path, how: str) -> None:
    code = f"""
import os, sys, threading
from pathlib import Path
from openlakes_portal_trino.embedded.job import Job, Limits
from openlakes_portal_trino.embedded.process import Workers
workers = Workers(60.0)
worker, idle = workers.take(), workers.take()
limits = Limits(2**29, 1, 0, 10, 2**20, 2**20)
job = Job({ENDLESS!r}, {str(tmp_path / "x")!r}, {str(tmp_path)!r}, limits, {{}}, "{{}}", "x")
spoke = threading.Event()
worker.begin(job, lambda message: spoke.set(), lambda *end: None)
spoke.wait(20)
print(worker.pid, idle.pid, workers.server.pid, flush=True)
{how}
"""
    portal = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    pids = [int(word) for word in portal.stdout.split()]
    assert len(pids) == 3, portal.stderr
    for pid in pids:
        wait_until_gone(pid)


async def test_nothing_of_the_portal_reaches_a_worker_or_the_fork_server(
    make_engine: MakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLAKES_SECURITY__KEY", "canary")
    engine = make_engine()
    engine._workers = workers = Workers(60.0)
    running = await engine.start(person("data-engineer"), Statement(ENDLESS), tmp_path / "x")
    worker = int(str(running.status().engine_query_id).removeprefix("worker-"))
    for pid in (worker, server_of(workers)):
        process = Path("/proc") / str(pid)
        seen = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        assert b"canary" not in seen
        assert SECRET_PLACE.encode() not in seen
    await engine.close()
    workers.close()


def test_a_fork_server_that_cannot_live_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openlakes_portal_trino.embedded.process.MODULE", "openlakes_portal_trino.no_such_module")
    workers = Workers(60.0)
    with pytest.raises(Unavailable, match="does not live"):
        workers.take()
    workers.close()


async def test_many_statements_at_once_have_a_process_each(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine()
    answers = await asyncio.gather(*(ask(engine, f"SELECT {number}") for number in range(8)))
    assert [answer.rows for answer in answers] == [[(number,)] for number in range(8)]
    assert len({answer.status.engine_query_id for answer in answers}) == 8
