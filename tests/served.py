"""The portal as a process of its own, asked over HTTP as anybody would."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import Environment
from real_servers import child

READY_WITHIN = 180


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of one response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running portal."""

    address: str
    process: child.Child

    def ask(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """GET, or POST of JSON where there is a body. Every status is an answer."""
        sent = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data=sent, headers={**kind, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def sign_in(self, persona: str) -> dict[str, str]:
        """Headers of a session of a persona."""
        answer = self.ask("/auth/demo", {"persona": persona})
        assert answer.status == 200, answer
        return {"Cookie": answer.headers["set-cookie"].split(";")[0]}

    def is_ready(self) -> bool:
        try:
            return self.ask("/api/ready").status == 200
        except OSError:
            return False


@contextmanager
def demo(environment: Environment, folder: Path) -> Iterator[Served]:
    """`openlakes demo --lite` in an environment, ended by SIGTERM; it must end all of itself within a minute."""
    port = child.free_port()
    folder.mkdir(exist_ok=True)
    options: list[str | Path] = ["demo", "--lite", "--port", str(port), "--data", folder / "data"]
    program = environment.folder / "bin" / "openlakes"
    process = child.start([program, *options], folder / "demo.log", cwd=folder, env=environment.variables)
    served = Served(f"http://127.0.0.1:{port}", process)
    try:
        process.wait_until(served.is_ready, READY_WITHIN)
        yield served
        process.process.terminate()
        assert process.process.wait(60) in (0, -15, 143), process.tail()
        assert not _group_lives(process.process.pid), "something outlived the demo"
    finally:
        process.stop()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
