"""The fault grid: a server on loopback that fails in one of the ways in which servers fail.

`with faulty("hang") as address:` gives the address of one that answers every request so. A plugin must meet each of
them with an error of the vocabulary, within its deadline, and with bounded memory.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

HUGE = 256 * 1024 * 1024
"""Bytes that `huge` would send."""
HTML = b"<!doctype html><title>Sign in</title><form method=post><input name=password></form>"


def _answer(status: str, kind: str, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def _reset(connection: socket.socket, stopping: threading.Event) -> None:
    # With nothing left to linger for, closing sends RST.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def _hang(connection: socket.socket, stopping: threading.Event) -> None:
    stopping.wait()


def _sends(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(answer)

    return send


def _drip(connection: socket.socket, stopping: threading.Event) -> None:
    connection.sendall(_answer("200 OK", "application/json", b'{"a": "', 1_000_000))
    while not stopping.wait(0.05):
        connection.sendall(b"x")


def _huge(connection: socket.socket, stopping: threading.Event) -> None:
    connection.sendall(_answer("200 OK", "application/json", b'{"a": "', HUGE))
    part, sent = b"x" * 1024 * 1024, 0
    while sent < HUGE and not stopping.is_set():
        connection.sendall(part)
        sent += len(part)


_FAULTS: Mapping[str, Callable[[socket.socket, threading.Event], None]] = {
    "reset": _reset,
    "hang": _hang,
    "500": _sends(_answer("500 Internal Server Error", "text/plain", b"at com.example.Secret(/srv/secret.java:1)")),
    "429": _sends(_answer("429 Too Many Requests", "text/plain", b"slow down")),
    "truncated": _sends(_answer("200 OK", "application/json", b'{"status": "succ', 4096)),
    "html": _sends(_answer("200 OK", "text/html", HTML)),
    "drip": _drip,
    "huge": _huge,
}

FAULTS = ("refuse", *_FAULTS)
"""The kinds: nobody listens; the connection is reset; no answer; an error; too many requests; an answer that breaks
off; a sign-in page where JSON should be; one byte at a time for ever; more than fits."""


@contextmanager
def faulty(fault: str) -> Iterator[str]:
    """The address of a server that fails so, whatever it is asked. `fault` is one of `FAULTS`."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if fault == "refuse":
        listener.close()
        yield address
        return
    fail = _FAULTS[fault]
    stopping = threading.Event()
    listener.listen(128)
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(30)
            if connection.recv(65_536):
                fail(connection, stopping)

    def accept() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(connection,), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield address
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        deadline = time.monotonic() + 10
        for thread in [accepting, *threads]:
            thread.join(max(0.0, deadline - time.monotonic()))
