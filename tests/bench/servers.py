"""Servers that are measured, each a process of its own, and the load that is put on them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RAW = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/ticks":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b'data: {"n": 1}\\n\\n', "more_body": True})
            await asyncio.sleep(1)
    body = b'{"items":[{"id":"1","name":"one"}],"next_cursor":null}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""

PLUGIN = """
import asyncio
from openlakes_portal.spi import *
from openlakes_portal.spi import hookimpl
READ = Permission("{id}:thing:read", "See things", roles=("viewer",))
@hookimpl
def plugin_manifest():
    return PluginManifest(id="{id}", title="{id}", contract="1.0")
@hookimpl
def register_permissions(context):
    return [READ]
@hookimpl
def register_routes(context):
    async def things(request: Request) -> dict[str, object]:
        return {{"items": [{{"id": "1", "name": "one"}}], "next_cursor": None}}
    async def ticking():
        while True:
            yield Event({{"n": 1}})
            await asyncio.sleep(1)
    async def ticks(request: Request) -> Events:
        return Events(ticking())
    found = [Route("GET", f"things{{n}}", things, access=READ) for n in range({routes})]
    return [*found, Route("GET", "ticks", ticks, access=READ, produces=("text/event-stream",))]
"""


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def site(folder: Path, plugins: Mapping[str, int]) -> Path:
    """A folder of installed plugins, each with so many routes."""
    for plugin, routes in plugins.items():
        module = plugin.replace("-", "_")
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(PLUGIN.format(id=plugin, routes=routes))
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
def portal(folder: Path, plugins: Mapping[str, int]) -> Iterator[Running]:
    """`openlakes serve` with these plugins and no others of the environment's."""
    import json

    port = free_port()
    settings = {
        "auth": {"mode": "demo"},
        "server": {
            "public_url": f"http://openlakes.localhost:{port}",
            "port": port,
            "data_dir": str(folder / "data"),
            "log_level": "warning",
        },
        "limits": {"streams": 10**5, "rate": 1e6, "burst": 10**6, "anonymous_burst": 10**6},
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.json"
    file.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(file)]
    env = {"PYTHONPATH": str(site(folder / "site", plugins))} if plugins else {}
    with started(command, port, "/api/ready", env) as running:
        yield running


@contextmanager
def raw(folder: Path) -> Iterator[Running]:
    """A raw ASGI application that answers the same body, on the same server."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "raw_app.py").write_text(RAW)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "raw_app:app"]
    with started([*command, "--no-log"], port, "/", {"PYTHONPATH": str(folder)}) as running:
        yield running


STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("x"))])
"""


def starlette_start(folder: Path) -> float:
    """Seconds from the start of a bare Starlette application to its first answer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bare_app.py").write_text(STARLETTE)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "bare_app:app", "--no-log"]
    with started(command, port, "/", {"PYTHONPATH": str(folder)}) as running:
        return running.ready_after


def load(running: Running, request: bytes, seconds: float = 2.0, connections: int = 8) -> float:
    """Requests answered a second, over keep-alive connections, each with one request in flight."""
    import selectors

    selector = selectors.DefaultSelector()
    sockets = [socket.create_connection(("127.0.0.1", running.port), timeout=10) for _ in range(connections)]
    for each in sockets:
        each.sendall(request)
        selector.register(each, selectors.EVENT_READ)
    answered, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for key, _ in selector.select(1.0):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            answer = connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"not answered with 200: {answer[:300]!r}")
            answered += 1
            connection.sendall(request)
    elapsed = time.perf_counter() - begin
    for each in sockets:
        each.close()
    return answered / elapsed
