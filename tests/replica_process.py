"""`openlakes serve` as a process of its own, several on one database, asked as behind one address."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from openlakes_portal._settings.load import merge
from real_servers.child import free_port

PUBLIC = "http://openlakes.localhost:8600"
SESSION = "__Host-openlakes_session"


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Replica:
    """One process. It can be killed and started again; what it holds in its folder is its own."""

    def __init__(self, folder: Path, database: str, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        fixed: dict[str, Any] = {
            "auth": {"mode": "demo"},
            "server": {
                "public_url": PUBLIC,
                "port": self.port,
                "data_dir": str(folder / "data"),
                "log_level": "warning",
                "drain_timeout": 5,
            },
            "database": {"url": database},
            "security": {"key": "6b" * 32},
            "limits": {
                "rate": 100_000,
                "burst": 100_000,
                "anonymous_rate": 100_000,
                "anonymous_burst": 100_000,
                "sign_in": 100_000,
            },
        }
        self.config = folder / "settings.json"
        self.config.write_text(json.dumps(merge(fixed, settings or {})))
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []

    def start(self, *, wait: bool = True) -> "Replica":
        """Run it; core alone, so that it is quick and nothing else is measured."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "OPENLAKES_PLUGINS__TRINO__ENABLED": "false"},
                start_new_session=True,
            )
        if wait:
            self.wait()
        return self

    def wait(self) -> None:
        """Until it is ready."""
        eventually(self.is_ready, 60, f"{self.folder.name} is ready; its log:\n{self.log()[-2000:]}")

    def is_ready(self) -> bool:
        """Whether it serves."""
        assert self.process is not None
        assert self.process.poll() is None, self.log()[-3000:]
        try:
            with self.client() as client:
                return client.get("/api/ready").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """What it has said."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def client(self, cookies: Mapping[str, str] | None = None, csrf: str | None = None) -> httpx.Client:
        """A client that asks this process by the public name, as a load balancer passes it on."""
        headers = {"host": PUBLIC.partition("://")[2], **({"x-csrf-token": csrf} if csrf else {})}
        if cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        made = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=20, trust_env=False)
        self._clients.append(made)
        return made

    def signed_in(self, persona: str) -> "Person":
        """A session of a persona, made here and good everywhere."""
        answer = self.client().post("/auth/demo", json={"persona": persona})
        assert answer.status_code == 200, answer.text
        return Person(answer.cookies[SESSION], answer.json()["csrf_token"])

    def kill(self) -> None:
        """SIGKILL, all of it."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(40)
        self._hang_up()

    def _hang_up(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            client.close()


class Person:
    """A session that is taken from replica to replica."""

    def __init__(self, cookie: str, csrf: str) -> None:
        self.cookie = cookie
        self.csrf = csrf

    def at(self, replica: Replica) -> httpx.Client:
        """Their requests to this replica."""
        return replica.client({SESSION: self.cookie}, self.csrf)


@contextmanager
def replicas(
    folder: Path, database: str, number: int, settings: Mapping[str, Any] | None = None, *, started: bool = True
) -> Iterator[list[Replica]]:
    """So many processes on one database, all started at the same moment."""
    running = [Replica(folder / f"replica-{n}", database, settings) for n in range(number)]
    try:
        if started:
            for replica in running:
                replica.start(wait=False)
            for replica in running:
                replica.wait()
        yield running
    finally:
        for replica in running:
            replica.stop()
