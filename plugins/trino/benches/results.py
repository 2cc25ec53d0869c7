"""P6: Arrow over HTTP against the in-process reader, and memory for 1M rows against 10k. `python results.py`.

The yardstick is DuckDB in the client's own process: the same statement, read batch by batch. Against it stand the whole
way (submit, run in a worker, spool, HTTP, decode) and the sending of a stored result alone. The portal runs by granian
in a process of its own. Rounds are interleaved; medians are compared. Ratios are the result, not times.

On two cores the whole way is missed when anything else runs: a statement's own process costs about 90 ms before its
first row (fork, two locked DuckDB connections), and producing, spooling, sending and decoding share the two cores,
where the yardstick has both to itself for 160 ms.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa

ROUNDS = 5
SETTLE = 0.3
"""Seconds between rounds, for what the one before left to do."""
MANY, FEW = 1_000_000, 10_000
COLUMNS = ", ".join(f"range * {index} AS n{index}" for index in range(8))
SQL = (
    f"SELECT {COLUMNS}, range / 3.0 AS d, 'row ' || range AS s, range % 7 AS k, NULL::INTEGER AS z FROM range({{rows}})"  # noqa: S608
)
ARROW = {"accept": "application/vnd.apache.arrow.stream"}
API = "/api/plugins/trino/"


@dataclass
class Portal:
    """A running portal and a signed-in client."""

    process: "subprocess.Popen[bytes]"
    client: httpx.Client

    def submit(self, rows: int) -> dict[str, Any]:
        """A query of so many rows, just begun."""
        body = {"sql": SQL.format(rows=rows), "row_limit": rows}
        query: dict[str, Any] = self.client.post(f"{API}queries", json=body).raise_for_status().json()
        return query

    def run(self, rows: int) -> str:
        """A finished query of so many rows; its id."""
        query = self.submit(rows)
        while query["state"] in ("queued", "running"):
            time.sleep(0.02)
            query = self.client.get(f"{API}queries/{query['id']}").json()
        assert query["state"] == "finished", query["error"]
        return str(query["id"])

    def read(self, id: str) -> int:
        """The result over HTTP, decoded batch by batch; its rows."""
        rows = 0
        with self.client.stream("GET", f"{API}queries/{id}/results", headers=ARROW) as answer:
            reader = pa.ipc.open_stream(_Raw(answer))
            for batch in reader:
                rows += batch.num_rows
        return rows

    def memory(self) -> int:
        """Peak resident bytes of the portal's processes since the last call."""
        total = 0
        for process in _family(self.process.pid):
            words = Path(f"/proc/{process}/status").read_text().split()
            total += int(words[words.index("VmHWM:") + 1]) * 1024
            Path(f"/proc/{process}/clear_refs").write_text("5")
        return total


class _Raw:
    """A response as a file that pyarrow reads."""

    closed = False

    def __init__(self, answer: httpx.Response) -> None:
        self._chunks = answer.iter_raw()
        self._buffer = bytearray()

    def read(self, size: int = -1) -> bytes:
        while len(self._buffer) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._buffer += chunk
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _family(pid: int) -> list[int]:
    """The process and its descendants, but for SQL workers: theirs is another limit."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"embedded.forkserver" not in Path(f"/proc/{child}/cmdline").read_bytes():
            found += _family(int(child))
    return found


def _timed(measure: Callable[[], Any]) -> float:
    began = time.perf_counter()
    measure()
    return time.perf_counter() - began


def _in_process() -> int:
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        reader = connection.execute(SQL.format(rows=MANY)).to_arrow_reader(16_384)
        return sum(batch.num_rows for batch in reader)


def _start(folder: Path) -> Portal:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    catalog = {"uri": f"sqlite:///{folder}/catalog.db", "warehouse": folder.as_uri()}
    plugin = {"duckdb": {"catalogs": {"lake": catalog}}, "access": {"catalogs": [{"catalog": "lake"}]}}
    config = folder / "openlakes.yaml"
    address = f"http://127.0.0.1:{port}"
    settings = {
        "server": {"public_url": address, "data_dir": str(folder / "data"), "log_level": "error"},
        "auth": {"mode": "demo"},
        "plugins": {"trino": plugin},
    }
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(config), "--port", str(port)]
    process = subprocess.Popen(command, start_new_session=True)
    client = httpx.Client(base_url=address, timeout=120)
    deadline = time.monotonic() + 60
    while True:
        try:
            if client.get("/api/ready").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError("the portal did not become ready")
        time.sleep(0.1)
    answer = client.post("/auth/demo", json={"persona": "data-engineer"}).raise_for_status()
    client.headers["x-csrf-token"] = answer.json()["csrf_token"]
    client.headers["cookie"] = answer.headers["set-cookie"].split(";")[0]
    return Portal(process, client)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        portal = _start(folder)
        try:
            many, few = portal.run(MANY), portal.run(FEW)
            portal.read(few)
            portal.memory()
            portal.read(few)
            small = portal.memory()
            portal.read(many)
            large = portal.memory()
            assert portal.read(many) == _in_process() == MANY
            times: dict[str, list[float]] = {"whole way": [], "stored result": [], "in process": []}
            for _ in range(ROUNDS):
                time.sleep(SETTLE)
                times["whole way"].append(_timed(lambda: portal.read(portal.submit(MANY)["id"])))
                time.sleep(SETTLE)
                times["stored result"].append(_timed(lambda: portal.read(many)))
                times["in process"].append(_timed(_in_process))
            median = {name: statistics.median(values) for name, values in times.items()}
            for name in ("whole way", "stored result"):
                rate = MANY / median[name] / 1000
                print(f"P6 {name} over HTTP / in-process reader: {median['in process'] / median[name]:.2f}", end="")
                print(f" (goal 0.5; {rate:,.0f} krows/s)")
            print(f"P6 memory of the portal, 1M rows / 10k rows: {large / small:.2f} (goal 1.3)")
        finally:
            os.killpg(portal.process.pid, signal.SIGTERM)
            portal.process.wait(60)


if __name__ == "__main__":
    main()
