"""The portal as a process: raw sockets, a drained stop, a plugin that ends the process, commands and their statuses."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from real_servers.child import free_port
from replica_process import eventually

pytestmark = pytest.mark.slow
CLI = [sys.executable, "-m", "openlakes_portal.cli"]

DYING = """
import os
from openlakes_portal.spi import *
from openlakes_portal.spi import hookimpl
READ = Permission("acme-dying:thing:read", "See things", roles=("viewer",))
@hookimpl
def plugin_manifest():
    return PluginManifest(id="acme-dying", title="Dying", contract="1.0")
@hookimpl
def register_permissions(context):
    return [READ]
@hookimpl
def register_routes(context):
    async def die(request: Request) -> str:
        os._exit(7)
    async def slow(request: Request) -> str:
        import asyncio
        from pathlib import Path
        Path(__file__).with_name("slow-began").touch()
        await asyncio.sleep(1.0)
        return "answered"
    async def ticks(request: Request) -> Events:
        async def events():
            import asyncio
            while True:
                yield Event({"tick": 1}, "tick")
                await asyncio.sleep(0.1)
        return Events(events())
    return [
        Route("GET", "die", die, access=READ),
        Route("GET", "slow", slow, access=READ),
        Route("GET", "ticks", ticks, access=READ, produces=("text/event-stream",)),
    ]
"""


class Served:
    """A running `openlakes serve` with the plugin that can end it."""

    def __init__(self, folder: Path, **limits: object) -> None:
        self.folder = folder
        self.port = free_port()
        site = folder / "site"
        if not site.exists():
            (site / "acme_dying-1.0.dist-info").mkdir(parents=True)
            (site / "acme_dying.py").write_text(DYING)
            info = site / "acme_dying-1.0.dist-info"
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dying\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text("[openlakes_portal.plugins]\nacme-dying = acme_dying\n")
        settings = {
            "auth": {"mode": "demo"},
            "server": {
                "public_url": f"http://openlakes.localhost:{self.port}",
                "port": self.port,
                "data_dir": str(folder / "data"),
                "drain_timeout": 10,
            },
            "limits": {"header_timeout": 1.0, **limits},
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*CLI, "serve", "--config", str(folder / "settings.json")],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(site)},
                start_new_session=True,
            )
        eventually(self.is_ready, 60, (folder / "log").read_text()[-2000:])

    def is_ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        try:
            return self.ask("/api/ready")[0] == 200
        except OSError:
            return False

    def ask(self, path: str, headers: dict[str, str] | None = None, body: object = None) -> tuple[int, bytes, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers or {})
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def signed_in(self, persona: str) -> dict[str, str]:
        _, _, headers = self.ask("/auth/demo", body={"persona": persona})
        return {"Cookie": headers["set-cookie"].split(";")[0]}

    def raw(self, text: bytes, seconds: float = 5.0) -> bytes:
        """Send bytes and read until the server closes or a whole head came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(text)
            parts = b""
            try:
                while chunk := connection.recv(65536):
                    parts += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return parts

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(40)


@contextmanager
def served(folder: Path, **limits: object) -> Iterator[Served]:
    running = Served(folder, **limits)
    try:
        yield running
    finally:
        running.stop()


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), rate=10_000, burst=10_000, anonymous_burst=10_000) as running:
        yield running


def head(portal: Served, target: str, method: str = "GET", extra: str = "") -> bytes:
    host = f"openlakes.localhost:{portal.port}"
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode()


def status(answer: bytes) -> int:
    """The status of an answer, 0 where the connection was closed without one."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        ("/api/live", "GET", {200}),
        ("/api//live", "GET", {400}),
        ("/api/../api/live", "GET", {400}),
        ("/api/%2e%2e/live", "GET", {400}),
        ("/api%2flive", "GET", {400}),
        ("/api\\live", "GET", {400}),
        ("/api/live", "TRACE", {405}),
        ("/api/live", "BREW", {405}),
        ("evil.example:443", "CONNECT", {0, 400, 405, 501}),
        ("http://evil.example/api/session", "GET", {400, 401, 421}),
    ],
)
def test_targets_that_a_client_would_tidy_up(target: str, method: str, expected: set[int], portal: Served) -> None:
    assert status(portal.raw(head(portal, target, method))) in expected


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("Host: evil.example\r\n", {400, 421}),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", {0, 400}),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", {0, 200, 400}),
        ("X-Long: " + "x" * 100_000 + "\r\n", {0, 400, 431}),
        ("".join(f"X-{i}: y\r\n" for i in range(1000)), {0, 400, 431}),
        ("X-Forwarded-Host: evil.example\r\nX-Original-URL: /api/settings\r\n", {200}),
    ],
    ids=["two hosts", "two lengths", "length and chunks", "long header", "many headers", "forwarded"],
)
def test_heads_that_are_out_of_order(extra: str, expected: set[int], portal: Served) -> None:
    assert status(portal.raw(head(portal, "/api/live", extra=extra))) in expected
    assert portal.ask("/api/live")[0] == 200


def test_a_websocket_is_refused(portal: Served) -> None:
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    answer = portal.raw(
        f"GET /api/components/events HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\n{upgrade}\r\n".encode()
    )
    assert status(answer) != 101
    assert portal.ask("/api/live")[0] == 200


def test_half_sent_headers_are_closed_and_trickles_do_not_starve_others(portal: Served) -> None:
    """L72."""
    trickles = [socket.create_connection(("127.0.0.1", portal.port), timeout=20) for _ in range(300)]
    for connection in trickles:
        connection.sendall(b"GET /api/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    started = time.monotonic()
    assert all(portal.ask("/api/live")[0] == 200 for _ in range(20))
    assert time.monotonic() - started < 10
    for connection in trickles:
        connection.settimeout(15)
        assert b"200" not in connection.recv(1000)
        connection.close()
    assert time.monotonic() - started < 15


def test_signing_out_ends_a_stream_and_reading_stops_nowhere(portal: Served) -> None:
    status_code, body, _ = portal.ask("/api/components", portal.signed_in("viewer"))
    assert (status_code, json.loads(body)["items"][0]["id"]) == (200, "core.database")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_drains_ends_streams_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    """M81: a request that runs is answered, an open stream does not hold the stop."""
    running = Served(tmp_path)
    cookie = running.signed_in("viewer")["Cookie"]

    def begin(route: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", running.port), timeout=20)
        target = f"/api/plugins/acme-dying/{route}"
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        return connection

    stream = begin("ticks")
    assert b"200" in stream.recv(4096)
    slow = begin("slow")
    eventually((tmp_path / "site" / "slow-began").exists, 10, "the slow request began")
    started = time.monotonic()
    os.killpg(running.process.pid, number)
    answer = b""
    while b"answered" not in answer and (chunk := slow.recv(65536)):
        answer += chunk
    slow.close()
    stream.close()
    assert b"answered" in answer
    assert running.process.wait(30) == 0, (tmp_path / "log").read_text()[-2000:]
    assert time.monotonic() - started < 15
    assert not group_lives(running.process.pid)


def test_a_plugin_that_ends_the_process_is_survived_and_quarantined_after_three(tmp_path: Path) -> None:
    """F45."""
    with served(tmp_path) as running:
        for _ in range(3):
            cookie = running.signed_in("viewer")
            with pytest.raises((OSError, urllib.error.URLError)):
                running.ask("/api/plugins/acme-dying/die", cookie)
            started = time.monotonic()
            eventually(running.is_ready, 10, "ready again")
            assert time.monotonic() - started < 6
        admin = running.signed_in("platform-admin")
        plugins = {p["id"]: p for p in json.loads(running.ask("/api/plugins", admin)[1])["items"]}
        assert (plugins["acme-dying"]["state"], plugins["acme-dying"]["stage"]) == ("quarantined", "crash")
        assert running.ask("/api/plugins/acme-dying/die", running.signed_in("viewer"))[0] == 404


def command(*words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(environ or {})}
    return subprocess.run([*CLI, *words], capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_a_port_that_is_taken_is_said(tmp_path: Path, portal: Served) -> None:
    done = command("demo", "--port", str(portal.port), "--data", str(tmp_path / "other"))
    assert done.returncode == 1
    assert f"{portal.port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "status_code", "text"),
    [
        (("--help",), 0, "commands:"),
        (("--version",), 0, "openlakes"),
        ((), 2, "commands:"),
        (("sevre",), 2, "did you mean 'serve'"),
        (("bundle",), 2, "not part of this version"),
        (("audit", "verify", "/nowhere.jsonl"), 1, "No such file"),
        (("plugin", "check", "nobody"), 2, "no plugin 'nobody'"),
        (("plugin", "new", "Bad Name"), 2, "no plugin id"),
        (("serve", "--config", "/nowhere.yaml"), 1, "cannot be read"),
        (("config", "schema"), 0, '"properties"'),
        (("demo", "--port", "99999"), 2, "not between 1 and 65535"),
    ],
)
def test_commands_end_with_the_status_and_words_they_should(
    words: tuple[str, ...], status_code: int, text: str, tmp_path: Path
) -> None:
    done = command(*words, environ={"OPENLAKES_SERVER__DATA_DIR": str(tmp_path)})
    assert done.returncode == status_code, done.stderr
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"OPENLAKES_AUTH__MODE": "demo", "OPENLAKES_SERVER__HOST": "0.0.0.0"}, "listens on loopback only"),
        ({"OPENLAKES_AUTH__MODE": "demo", "OPENLAKES_SERVER__PUBLIC_URL": "http://lake.example"}, "loopback"),
        (
            {"OPENLAKES_AUTH__MODE": "demo", "OPENLAKES_SERVER__ALLOWED_HOSTS": '["lake.example"]'},
            "loopback hosts only",
        ),
        ({"OPENLAKES_AUTH__MODE": "oidc"}, "auth.oidc is not set"),
        ({"OPENLAKES_AUTH__MODE": "demo", "OPENLAKES_SERVER__WORKERS": "2"}, "needs PostgreSQL"),
        ({"OPENLAKES_SERVER__PROT": "1"}, "did you mean 'port'"),
    ],
)
def test_settings_that_may_not_start_do_not(environ: dict[str, str], words: str, tmp_path: Path) -> None:
    done = command("serve", environ={**environ, "OPENLAKES_SERVER__DATA_DIR": str(tmp_path)})
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_and_lists_speak_json(tmp_path: Path) -> None:
    environ = {"OPENLAKES_AUTH__MODE": "demo", "OPENLAKES_SERVER__DATA_DIR": str(tmp_path)}
    found = {d["subject"]: d for d in json.loads(command("doctor", "--json", environ=environ).stdout)}
    assert found["database"]["state"] == "ok"
    assert json.loads(command("plugin", "list", "--json", environ=environ).stdout) is not None
    shown = {s["key"]: s for s in json.loads(command("config", "show", "--json", environ=environ).stdout)}
    assert shown["auth.mode"]["source"] == "environment"
