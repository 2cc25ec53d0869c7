"""Load on a server whose answers are nearly all of one length, and the time of each: raw sockets, one request each."""

import selectors
import socket
import statistics
import time
from dataclasses import dataclass

WITHIN = 20


@dataclass(frozen=True)
class Load:
    """What came of it: answers, bytes of bodies and heads, seconds in all, and seconds of each answer, ordered."""

    answers: int
    amount: int
    elapsed: float
    times: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.elapsed

    @property
    def throughput(self) -> float:
        """Bytes a second."""
        return self.amount / self.elapsed

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return self.times[max(0, int(len(self.times) * 0.99) - 1)]


def once(port: int, request: bytes) -> bytes:
    """One whole answer with a `Content-Length`. Raises `RuntimeError` for any status but 200."""
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as connection:
        connection.sendall(request)
        answer = bytearray()
        while not _is_whole(answer):
            part = connection.recv(1 << 20)
            if not part:
                break
            answer += part
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not answered with 200: {bytes(answer[:300])!r}")
    return bytes(answer)


def load(port: int, request: bytes, connections: int, seconds: float = 3.0) -> Load:
    """Ask again and again. Answers are as long as the first one was, or say how long they are: mod_auth_openidc renews
    its cookie in some answers of a minute."""
    length = len(once(port, request))
    selector = selectors.DefaultSelector()
    began: dict[socket.socket, float] = {}
    missing: dict[socket.socket, int] = {}
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=WITHIN)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        began[connection], missing[connection] = time.perf_counter(), length
        connection.sendall(request)
    times: list[float] = []
    begin = time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds:
        for key, _ in selector.select(1.0):
            connection = key.fileobj  # type: ignore[assignment]  # only sockets are registered
            part = connection.recv(1 << 20)
            if not part:
                raise RuntimeError("the server closed a connection under load")
            if missing[connection] == length != len(part):
                missing[connection] = _length(part) or length
            missing[connection] -= len(part)
            if missing[connection] < 0:
                raise RuntimeError(f"an answer is longer than the first one: {part[:200]!r}")
            if missing[connection] == 0:
                now = time.perf_counter()
                times.append(now - began[connection])
                began[connection], missing[connection] = now, length
                connection.sendall(request)
    elapsed = time.perf_counter() - begin
    for connection in began:
        connection.close()
    return Load(len(times), len(times) * length, elapsed, tuple(sorted(times)))


def _is_whole(answer: bytearray) -> bool:
    length = _length(bytes(answer))
    return length is not None and len(answer) >= length


def _length(answer: bytes) -> int | None:
    """Bytes of a whole answer, by its head; None where that is not all there."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n") if end else ():
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(head) + len(end) + int(value)
    return None
