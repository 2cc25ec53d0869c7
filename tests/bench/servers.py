"""Servers that are measured, each a process of its own, and the load that is put on them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.sources import PLUGIN, RAW, STARLETTE
from openlakes_portal._settings.load import merge
from real_servers.child import free_port

Ask = bytes | Callable[[], bytes]
"""A request, or what makes one request after the other."""


def site(folder: Path, plugins: Mapping[str, int], prelude: str = "") -> Path:
    """A folder of installed plugins, each with so many routes, and what their modules do first."""
    for plugin, routes in plugins.items():
        module = plugin.replace("-", "_")
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(PLUGIN.format(id=plugin, routes=routes, prelude=prelude))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[openlakes_portal.plugins]\n{plugin} = {module}\n")
    return folder


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    process: subprocess.Popen[bytes]
    ready_after: float

    def request(self, path: str, cookie: str = "") -> bytes:
        """A GET as bytes."""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        return (head + (f"Cookie: {cookie}\r\n" if cookie else "") + "\r\n").encode()

    def mutation(self, path: str, cookie: str, csrf: str, body: str = "") -> bytes:
        """A POST of JSON as bytes."""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {cookie}\r\nX-CSRF-Token: {csrf}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def sign_in(self, persona: str) -> str:
        """The cookie of a new session."""
        body = f'{{"persona":"{persona}"}}'
        head = f"POST /auth/demo HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            answer = b""
            while b"set-cookie: " not in answer and (part := connection.recv(65536)):
                answer += part
        return answer.split(b"set-cookie: ")[1].split(b";")[0].decode()


@contextmanager
def started(command: list[str], port: int, path: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a server, wait until it answers 200, stop it by its process group."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    running = Running(port, process, 0.0)
    try:
        while not _answers(running, path):
            if process.poll() is not None or time.perf_counter() - begin > 60:
                raise RuntimeError(f"{command[:4]} does not start")
            time.sleep(0.005)
        yield Running(port, process, time.perf_counter() - begin)
    finally:
        process.terminate()
        process.wait(30)


def _answers(running: Running, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", running.port), timeout=2) as connection:
            connection.sendall(running.request(path))
            return b" 200 " in connection.recv(200)
    except OSError:
        return False


@contextmanager
def portal(
    folder: Path, plugins: Mapping[str, int], settings: Mapping[str, Any] | None = None, prelude: str = ""
) -> Iterator[Running]:
    """`openlakes serve` with these plugins and no others of the environment's; in demo mode unless `settings` say
    otherwise."""
    port = free_port()
    fixed: dict[str, Any] = {
        "auth": {"mode": "demo"},
        "server": {
            "public_url": f"http://localhost:{port}",
            "port": port,
            "data_dir": str(folder / "data"),
            "log_level": "warning",
        },
        "limits": {"streams": 10**5, "rate": 1e6, "burst": 10**6, "anonymous_burst": 10**6, "sign_in": 10**6},
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.json"
    file.write_text(json.dumps(merge(fixed, settings or {})))
    command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(file)]
    env = {"PYTHONPATH": str(site(folder / "site", plugins, prelude))} if plugins else {}
    with started(command, port, "/api/ready", env) as running:
        yield running


@contextmanager
def raw(folder: Path) -> Iterator[Running]:
    """A raw ASGI application that answers the same body, on the same server."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "raw_app.py").write_text(RAW)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "raw_app:app"]
    with started([*command, "--no-log", "--backpressure", "5000"], port, "/", {"PYTHONPATH": str(folder)}) as running:
        yield running


def starlette_start(folder: Path) -> float:
    """Seconds from the start of a bare Starlette application to its first answer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bare_app.py").write_text(STARLETTE)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "bare_app:app", "--no-log"]
    with started(command, port, "/", {"PYTHONPATH": str(folder)}) as running:
        return running.ready_after


def load(running: Running, ask: Ask, seconds: float = 2.0, connections: int = 8) -> float:
    """Requests answered a second, over keep-alive connections, each with one request in flight."""
    import selectors

    request = ask if callable(ask) else lambda: ask
    selector = selectors.DefaultSelector()
    sockets = [socket.create_connection(("127.0.0.1", running.port), timeout=10) for _ in range(connections)]
    for each in sockets:
        each.sendall(request())
        selector.register(each, selectors.EVENT_READ)
    answered, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for key, _ in selector.select(1.0):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            answer = connection.recv(65536)
            if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
                raise RuntimeError(f"not answered with 200: {answer[:300]!r}")
            answered += 1
            connection.sendall(request())
    elapsed = time.perf_counter() - begin
    for each in sockets:
        each.close()
    return answered / elapsed
