"""The gateway in a real process, asked over raw sockets: what a browser's connection really gets.

One process serves a whole test module. Its many apps share one target, and each test takes an app that nobody has used,
with connections and a circuit of its own.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from real_servers.child import free_port
from replica_process import PUBLIC, SESSION, Person, Replica

PORTAL_HOST = PUBLIC.partition("://")[2]
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What came until the connection was closed, or the answer was whole."""

    raw: bytes

    @property
    def status(self) -> int:
        """0 where the connection was closed without an answer."""
        return int(self.raw.split(b" ", 2)[1]) if self.raw.startswith(b"HTTP/1.1 ") else 0

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return [v.strip().decode("latin-1") for k, _, v in lines if k.lower() == name.lower().encode()]

    @property
    def body(self) -> bytes | None:
        """The body, where it is whole as HTTP/1.1 says (RFC 9112, section 8); None where it is not."""
        start = len(self.head) + 4
        if self.all("transfer-encoding") == ["chunked"]:
            found = bytearray()
            while True:
                end = self.raw.find(b"\r\n", start)
                if end < 0:
                    return None
                size, start = int(self.raw[start:end], 16), end + 2
                if len(self.raw) < start + size + 2:
                    return None
                if size == 0:
                    return bytes(found)
                found += self.raw[start : start + size]
                start += size + 2
        rest = self.raw[start:]
        length = self.all("content-length")
        if len(length) == 1:
            return rest if len(rest) == int(length[0]) else None
        return b""


@dataclass(frozen=True)
class Seat:
    """Somebody who is signed in at one app: what their browser sends with each request."""

    replica: Replica
    host: str
    cookies: Mapping[str, str]
    person: Person
    app_id: str

    def head(self, method: str, target: str, *more: str) -> bytes:
        """A request's head as it is on the wire."""
        cookie = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", f"Cookie: {cookie}", *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.replica.port, limit=4 * MIB)

    async def ask(self, method: str, target: str, *more: str, body: bytes = b"", seconds: float = 15) -> Answer:
        """One request on a connection of its own; everything until that is closed."""
        reader, writer = await self.connect()
        try:
            writer.write(self.head(method, target, "Connection: close", *more) + body)
            async with asyncio.timeout(seconds):
                return Answer(await everything(reader))
        finally:
            writer.close()


async def everything(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the end, also one by a reset."""
    found = bytearray()
    try:
        while part := await reader.read(65536):
            found += part
    except ConnectionResetError:
        pass
    return bytes(found)


class RealHouse:
    """A portal as a process of its own, with apps that nobody has used yet."""

    def __init__(self, replica: Replica, target_port: int, apps: int) -> None:
        self.replica = replica
        self.target_port = target_port
        self._unused = [f"app-{n}" for n in range(apps)]
        self._people: dict[str, Person] = {}
        self._seats: dict[str, Seat] = {}

    def seat_of(self, persona: str = "data-engineer") -> "Seat":
        """The same seat each time, for tests that reach no app or leave it well."""
        if persona not in self._seats:
            self._seats[persona] = self.seat(person=self.person(persona))
        return self._seats[persona]

    def person(self, persona: str) -> Person:
        if persona not in self._people:
            self._people[persona] = self.replica.signed_in(persona)
        return self._people[persona]

    def fresh(self) -> str:
        """The id of an app that no test has used."""
        return self._unused.pop()

    def seat(self, app_id: str | None = None, person: Person | None = None) -> Seat:
        """The data engineer (or somebody else) at an app, through the hand-over."""
        app_id = app_id or self.fresh()
        person = person or self.person("data-engineer")
        host = f"{app_id}.{PORTAL_HOST}"
        with self.replica.client() as client:
            first = client.get("/", headers={"host": host, "accept": "text/html"})
            assert first.status_code == 303, first.text
            start = first.headers["set-cookie"].split(";")[0]
            to_portal = urlsplit(first.headers["location"])
        with person.at(self.replica) as client:
            second = client.get(f"{to_portal.path}?{to_portal.query}")
            assert second.status_code == 303, second.text
            back = urlsplit(second.headers["location"])
        with self.replica.client() as client:
            third = client.get(f"{back.path}?{back.query}", headers={"host": host, "cookie": start})
            assert third.status_code == 303, third.text
            name, _, value = third.headers.get_list("set-cookie")[0].split(";")[0].partition("=")
        return Seat(self.replica, host, {name: value}, person, app_id)

    def memory(self) -> int:
        """Resident bytes of all its processes."""
        assert self.replica.process is not None
        total = 0
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.getpgid(int(entry.name)) == self.replica.process.pid:
                    total += int((entry / "statm").read_text().split()[1]) * PAGE
            except OSError:
                continue
        return total


@contextmanager
def real_house(folder: Path, apps: int = 60, settings: Mapping[str, Any] | None = None) -> Iterator[RealHouse]:
    """The process, on SQLite."""
    port = free_port()
    listed = [
        {
            "id": f"app-{n}",
            "title": f"App {n}",
            "target": f"http://127.0.0.1:{port}",
            "roles": ["data-engineer", "viewer"],
            "identity": {"kind": "header", "header": "X-Remote-User"},
            "websocket": True,
        }
        for n in range(apps)
    ]
    gateway = {"apps": listed, **(settings or {}).get("gateway", {})}
    replica = Replica(folder / "portal", f"sqlite:///{folder / 'portal.db'}", {**(settings or {}), "gateway": gateway})
    try:
        yield RealHouse(replica.start(), port, apps)
    finally:
        replica.stop()


__all__ = ["MIB", "PORTAL_HOST", "PUBLIC", "SESSION", "Answer", "RealHouse", "Seat", "everything", "real_house"]
