"""The portal as a process of its own, as an operator starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from .conftest import Lakehouse


class Served:
    """The portal as a process of its own."""

    def __init__(self, folder: Path, lakehouse: Lakehouse, more: dict[str, Any] | None = None, **trino: Any) -> None:
        """Its folder; `more` are settings of the portal, the keywords those of the plugin."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}"
        self._clients: list[httpx.Client] = []
        self.data = folder / "data"
        settings = {
            "server": {"public_url": self._address, "data_dir": str(self.data), "log_level": "error"},
            "auth": {"mode": "demo"},
            "plugins": {"trino": {**lakehouse.settings, **trino}},
            **(more or {}),
        }
        config = folder / "openlakes.json"
        config.write_text(json.dumps(settings))
        program = str(Path(sys.executable).with_name("openlakes"))
        self._command = [program, "serve", "--config", str(config), "--port", str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> httpx.Client:
        """Start it, and a data engineer's client."""
        self._process = subprocess.Popen(self._command, start_new_session=True, stderr=subprocess.DEVNULL)
        return self.client("data-engineer")

    def client(self, persona: str) -> httpx.Client:
        """A client of its own for somebody."""
        client = httpx.Client(base_url=self._address, timeout=30)
        self._clients.append(client)
        until(lambda: _answers(client), 30)
        signed_in = client.post("/auth/demo", json={"persona": persona}).raise_for_status()
        client.headers["x-csrf-token"] = signed_in.json()["csrf_token"]
        client.headers["cookie"] = signed_in.headers["set-cookie"].split(";")[0]
        return client

    def kill(self) -> None:
        """kill -9, each of its processes."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it in order."""
        for client in self._clients:
            client.close()
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(30)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/ready").status_code == 200
    except httpx.HTTPError:
        return False


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
