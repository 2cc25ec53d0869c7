"""J64 at the boundary, on both databases: whatever stands in a user agent or a name, each record is one line that can
be read, in the process's log, in the audit file and in an export; and nothing in it moves a terminal's cursor."""

import json
import socket
from pathlib import Path

import pytest

from replica_process import PUBLIC, SESSION, Person, Replica, eventually

pytestmark = pytest.mark.slow
ANSI, SEPARATOR, BIDI = b"\x1b[31m\x1b]0;x\x07", "\u2028\u2029\u0085".encode(), "\u202e\u2066".encode()
AGENT = b"Mozilla" + ANSI + SEPARATOR + BIDI + b'"}{"action": "forged"'
MARKS = [
    ' "}{',
    "\r\n",
    "\x1b[31m",
    "\u2028",
    "\u2029",
    "\u0085",
    "\u202e",
    "\u2066",
    "\x00",
    "\x7f",
    "\u200f",
    "\ufeff",
]
"""The first one is harmless, and taken everywhere: the control."""


def sent(replica: Replica, agent: bytes, person: Person, method: str = "GET", target: str = "/api/session") -> bytes:
    """A request with this user agent, byte for byte; the answer's head."""
    head = f"{method} {target} HTTP/1.1\r\nHost: {PUBLIC.partition('://')[2]}\r\nCookie: {SESSION}={person.cookie}\r\n"
    head += f"X-CSRF-Token: {person.csrf}\r\nConnection: close\r\nUser-Agent: "
    with socket.create_connection(("127.0.0.1", replica.port), timeout=20) as connection:
        connection.sendall(head.encode() + agent + b"\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def signed_in_with(replica: Replica, agent: bytes) -> tuple[int, str]:
    """Sign in with this user agent; the status and the cookie's value."""
    body = b'{"persona": "platform-admin"}'
    head = f"POST /auth/demo HTTP/1.1\r\nHost: {PUBLIC.partition('://')[2]}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\nUser-Agent: "
    with socket.create_connection(("127.0.0.1", replica.port), timeout=20) as connection:
        connection.sendall(head.encode() + agent + b"\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    _, _, rest = answer.partition(f"{SESSION}=".encode())
    return int(answer.split()[1]), rest.partition(b";")[0].decode()


def harmless(text: str) -> bool:
    """Nothing in it that a terminal or a reader of lines would take for more than a letter."""
    return all(character.isprintable() for character in text)


def test_each_record_is_one_line_that_can_be_read(url: str, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    settings = {
        "server": {"log_level": "info", "log_format": "json"},
        "audit": {"sink": ["database", "file"], "path": str(file), "checkpoint_every": 1},
    }
    replica = Replica(tmp_path / "portal", url, settings).start()
    try:
        admin = replica.signed_in("platform-admin")
        status, cookie = signed_in_with(replica, AGENT)
        if status == 200:  # a server may refuse control characters in a header (RFC 9110, 5.5)
            assert cookie
        plain = AGENT.replace(ANSI, b"")
        status, cookie = signed_in_with(replica, plain)
        assert status == 200, "what is no control character gets through"
        with admin.at(replica) as client:
            agents = [item["agent"] for item in client.get("/api/sessions").json()["items"] if item["agent"]]
            assert any(agent.startswith("Mozilla") for agent in agents), "control: it was kept"
            assert all(map(harmless, agents)), agents
            taken = []
            for number, mark in enumerate(MARKS):
                text = f"a{mark}b"
                account = {"name": f"ci-{number}", "description": text}
                bound = {"role": "viewer", "subject": "nobody-yet", "reason": text, "group": None}
                token = {"name": text, "permissions": ["core:health:read"], "expires_at": "2027-01-20T00:00:00Z"}
                for path, sent_body in (("service-accounts", account), ("role-bindings", bound), ("tokens", token)):
                    answer = client.post(f"/api/{path}", json={k: v for k, v in sent_body.items() if v is not None})
                    assert answer.status_code in (201, 409, 422), answer.text
                    taken += [(path, mark)] * (answer.status_code == 201)
            assert {path for path, mark in taken if mark == ' "}{'} == {"service-accounts", "role-bindings", "tokens"}
            for target in (f"/api/sessions/{'%E2%80%A8%E2%80%AE'}x", "/api/role-bindings/a%C2%85b"):
                sent(replica, plain, admin, "DELETE", target)
            exported = client.get("/api/audit/export").content.decode()
            number = len([1 for line in exported.split("\n") if line and json.loads(line)["type"] == "record"])
        assert harmless(exported.replace("\n", "")), "an export"
        eventually(lambda: file.exists() and file.read_text().count("\n") >= number - 1, 30, "records are in the file")
        written = file.read_text()
        assert harmless(written.replace("\n", "")), "the file"
        records = [record for record in map(json.loads, written.splitlines()) if record["type"] == "record"]
        assert len(records) >= number - 1
        assert len(records) == len({(record["writer"], record["seq"]) for record in records})
        assert not [r for r in records if r["action"] == "forged"]
    finally:
        replica.stop()
    log = replica.log()
    lines = [line for line in log.split("\n") if line]
    assert len(lines) > 3
    assert harmless(log.replace("\n", "")), "the log"
    assert all(json.loads(line)["event"] for line in lines)
