"""Section L over raw sockets: what is too much is answered or dropped, quickly, and nobody else notices."""

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from replica_process import SESSION, Person, Replica, eventually

pytestmark = pytest.mark.slow
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024
STREAMS, LOUD = 1000, 50

LOUD_PLUGIN = """
from openlakes_portal.spi import *
from openlakes_portal.spi import hookimpl
READ = Permission("acme-loud:thing:read", "Hear things", roles=("viewer", "bi-analyst"))
@hookimpl
def plugin_manifest():
    return PluginManifest(id="acme-loud", title="Loud", contract="1.0")
@hookimpl
def register_permissions(context):
    return [READ]
@hookimpl
def register_routes(context):
    async def loud(request: Request) -> Stream:
        async def parts():
            import asyncio
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        return Stream(parts(), "application/octet-stream")
    async def ticks(request: Request) -> Events:
        async def events():
            import asyncio
            while True:
                yield Event({"tick": 1}, "tick")
                await asyncio.sleep(2)
        return Events(events())
    return [
        Route("GET", "loud", loud, access=READ, produces=("application/octet-stream",)),
        Route("GET", "ticks", ticks, access=READ, produces=("text/event-stream",)),
    ]
"""


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replica]:
    """A process with the default limits of time, and a plugin that sends as fast as it can."""
    info = tmp_path / "site" / "acme_loud-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "acme_loud.py").write_text(LOUD_PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-loud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[openlakes_portal.plugins]\nacme-loud = acme_loud\n")
    monkeypatch.setenv("PYTHONPATH", str(info.parent))
    limits = {"limits": {"streams": STREAMS + LOUD, "connections": 4096}}
    replica = Replica(tmp_path / "portal", f"sqlite:///{tmp_path / 'portal.db'}", limits)
    replica.start()
    yield replica
    replica.stop()


def connected(replica: Replica) -> socket.socket:
    return socket.create_connection(("127.0.0.1", replica.port), timeout=20)


def head(method: str, target: str, person: Person | None = None, *more: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: openlakes.localhost:8600"]
    if person is not None:
        lines += [f"Cookie: {SESSION}={person.cookie}", f"X-CSRF-Token: {person.csrf}"]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode()


def status_of(answer: bytes) -> int:
    """0 where the connection was closed without an answer."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


def asked(replica: Replica, request: bytes) -> tuple[int, float]:
    """Send it; the status, and seconds from the last byte sent to the first of the answer."""
    with connected(replica) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # answered before all was sent
            connection.sendall(request)
        sent = time.monotonic()
        try:
            answer = connection.recv(65536)
        except ConnectionResetError:
            answer = b""
        return status_of(answer), time.monotonic() - sent


def slowest(replica: Replica, number: int = 200) -> float:
    """Seconds in which 99 of 100 requests of somebody else are answered."""
    took = []
    for _ in range(number):
        begin = time.monotonic()
        assert asked(replica, head("GET", "/api/live", None, "Connection: close"))[0] == 200
        took.append(time.monotonic() - begin)
    return sorted(took)[int(number * 0.99) - 1]


def test_five_hundred_who_trickle_keep_nobody_waiting_and_are_dropped(portal: Replica) -> None:
    """L72, with the default of ten seconds for a head."""
    alone = slowest(portal)
    begin = time.monotonic()
    trickles = [connected(portal) for _ in range(500)]
    for connection in trickles:
        connection.sendall(b"GET /api/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    beside = slowest(portal)
    assert beside < max(0.5, 2 * alone), f"{beside:.3f} s beside them, {alone:.3f} s alone"
    open_ones = list(trickles)
    for connection in open_ones:
        connection.setblocking(False)

    def all_dropped() -> bool:
        for connection in list(open_ones):
            try:
                connection.send(b"y")  # a byte at a time is no reason to stay
                gone = connection.recv(1000) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                connection.close()
                open_ones.remove(connection)
        time.sleep(0.3)
        return not open_ones

    eventually(all_dropped, 15 - (time.monotonic() - begin), "all are dropped")
    assert slowest(portal, 20) < 1


def test_too_much_of_anything_is_refused_at_once(portal: Replica) -> None:
    """L73. Each is sent three times: the quickest answer tells what it costs."""
    admin = portal.signed_in("platform-admin")
    fields = "&".join(f"a{n}=1" for n in range(100_000)).encode()
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(10_000)) + b"--x--"
    deep = b"[" * 100_000 + b"]" * 100_000

    def post(kind: str, body: bytes, target: str = "/api/tokens") -> bytes:
        return head("POST", target, admin, f"Content-Type: {kind}", f"Content-Length: {len(body)}") + body

    jwt = "e" * MIB
    ranges = "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))
    requests = {
        "a thousand headers": head("GET", "/api/session", admin, *(f"X-{n}: y" for n in range(1000))),
        "fields in the query": head("GET", "/api/session?" + fields.decode(), admin),
        "fields in a form": post("application/x-www-form-urlencoded", fields),
        "fields of a sign-in": post("application/x-www-form-urlencoded", fields, "/auth/demo"),
        "parts": post("multipart/form-data; boundary=x", parts),
        "depth": post("application/json", deep),
        "depth of a sign-in": post("application/json", deep, "/auth/demo"),
        "a huge bearer": head("GET", "/api/session", None, f"Authorization: Bearer {jwt}"),
        "a huge cookie": head("GET", "/api/session", None, f"Cookie: {SESSION}={jwt}"),
        "ranges": head("GET", "/favicon.svg", None, ranges),
        "gzip": head(
            "POST",
            "/api/tokens",
            admin,
            "Content-Type: application/json",
            "Content-Encoding: gzip",
            "Content-Length: 2",
        )
        + b"{}",
    }
    assert asked(portal, head("GET", "/api/session", admin))[0] == 200, "control"
    assert asked(portal, post("application/json", b"{}"))[0] == 422, "control: a body is read"
    found = {}
    for name, request in requests.items():
        answers = [asked(portal, request) for _ in range(3)]
        found[name] = ({status for status, _ in answers}, min(seconds for _, seconds in answers))
    wrong = {name: got for name, got in found.items() if not all(s in range(400, 500) for s in got[0]) or got[1] >= 0.1}
    assert wrong == {}
    few = head("GET", "/favicon.svg", None, "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(2000)))
    assert asked(portal, few)[0] in (200, 206, 416)
    assert asked(portal, head("GET", "/api/live"))[0] == 200


def memory(replica: Replica) -> int:
    """Resident bytes of all its processes."""
    assert replica.process is not None
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == replica.process.pid:
                total += int((entry / "statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
    return total


def test_a_thousand_streams_and_fifty_who_do_not_read_take_bounded_memory(portal: Replica) -> None:
    """L75."""
    greedy, other = portal.signed_in("viewer"), portal.signed_in("bi-analyst")
    api = "/api/plugins/acme-loud"
    sockets = []
    try:
        for target, number in (("ticks", STREAMS), ("loud", LOUD)):
            for _ in range(number):
                connection = connected(portal)
                connection.sendall(head("GET", f"{api}/{target}", greedy))
                sockets.append(connection)
        for connection in sockets[:STREAMS]:
            assert status_of(connection.recv(4096)) == 200
        for connection in sockets[STREAMS:]:
            assert status_of(connection.recv(100)) == 200  # and nothing more is read
        assert asked(portal, head("GET", f"{api}/ticks", greedy))[0] == 429, "a person's own cap"
        assert asked(portal, head("GET", f"{api}/ticks", other))[0] == 200, "which is nobody else's"
        first = memory(portal)
        for _ in range(50):
            assert asked(portal, head("GET", "/api/session", other))[0] == 200
        begin = time.monotonic()
        while time.monotonic() - begin < 3:  # three seconds in which they could be sent gigabytes
            assert asked(portal, head("GET", "/api/live"))[0] == 200
        held = memory(portal)
        assert held - first < 32 * MIB, f"{(held - first) / MIB:.0f} MiB more"
        assert held < 512 * MIB, f"{held / MIB:.0f} MiB"
    finally:
        for connection in sockets:
            connection.close()
    eventually(
        lambda: asked(portal, head("GET", f"{api}/ticks", greedy))[0] == 200, 10, "what is closed counts no more"
    )
