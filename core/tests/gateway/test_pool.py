"""Connections to an app that does not do what it should: each failure is a clear answer in bounded time (M78)."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from openlakes_portal._gateway.pool import Pool, Timeouts
from openlakes_portal._gateway.targets import parse_target
from openlakes_portal._host.upstreams import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker
from openlakes_portal.spi import PortalError, Unavailable, UpstreamError, UpstreamUnavailable
from real_servers.certificate import self_signed

from .upstream import OK, RawApp, Received, raw_app

QUICK = Timeouts(connect=0.3, send=0.3, head=0.3, idle=0.3, acquire=0.2)
HEADERS = [(b"host", b"acme.example")]


@pytest.fixture
async def app() -> AsyncIterator[RawApp]:
    async with raw_app() as running:
        yield running


@asynccontextmanager
async def pool_to(port: int, timeouts: Timeouts = QUICK, **options: object) -> AsyncIterator[Pool]:
    pool = Pool("Acme", parse_target(f"http://127.0.0.1:{port}"), timeouts=timeouts, **options)  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        pool.close()


async def ask(pool: Pool, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    headers = HEADERS + ([(b"content-length", b"%d" % len(body))] if body is not None else [])

    async def parts() -> AsyncIterator[bytes]:
        assert body is not None
        yield body

    async with pool.exchange(method, b"/", headers, parts() if body is not None else None) as received:
        return received.status, b"".join([part async for part in received.parts])


async def hang(request: Received, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def drip_head(request: Received, writer: asyncio.StreamWriter) -> None:
    for byte in OK:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def stop_midway(request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    await asyncio.sleep(3600)


async def close(request: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(request: Received, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half_a_head(request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:20])
    await writer.drain()
    writer.close()


async def huge_head(request: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
    while True:
        writer.write(b"b" * 65536)
        await writer.drain()


@pytest.mark.parametrize(
    ("respond", "kind", "words"),
    [
        (hang, UpstreamUnavailable, "did not answer within"),
        (drip_head, UpstreamUnavailable, "did not answer within"),
        (stop_midway, UpstreamUnavailable, "stopped in the middle"),
        (close, UpstreamUnavailable, "ended the connection"),
        (reset, UpstreamUnavailable, "ended the connection"),
        (half_a_head, UpstreamUnavailable, "ended the connection"),
        (huge_head, UpstreamError, "head without end"),
    ],
)
async def test_each_failure_is_a_clear_answer_in_time(
    app: RawApp, respond: Callable[..., object], kind: type[PortalError], words: str
) -> None:
    app.respond = respond  # type: ignore[assignment]
    async with pool_to(app.port) as pool:
        begin = time.monotonic()
        with pytest.raises(kind, match=words):
            await ask(pool)
        assert time.monotonic() - begin < 2
        app.respond = None
        assert await ask(pool) == (200, b"ok"), "and the next one is well"
        assert app.connections == 2


async def test_who_refuses_and_who_cannot_be_reached_are_told_apart(app: RawApp) -> None:
    async with pool_to(9) as pool:
        with pytest.raises(UpstreamUnavailable, match="refuses connections"):
            await ask(pool)
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel takes some before it keeps others waiting
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with pool_to(full.getsockname()[1]) as pool:
            with pytest.raises(UpstreamUnavailable, match="does not answer at"):
                await ask(pool)


async def test_an_app_that_drips_its_body_is_heard_out_and_one_that_sends_events_may_be_quiet(app: RawApp) -> None:
    async def drip(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.1)  # in all more than `idle`, each pause less
            writer.write(b"x")

    async def quiet(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nContent-Length: 5\r\n\r\n")
        await asyncio.sleep(2 * QUICK.idle)
        writer.write(b"hello")

    async with pool_to(app.port) as pool:
        app.respond = drip
        assert await ask(pool) == (200, b"x" * 10)
        app.respond = quiet
        assert await ask(pool) == (200, b"hello")


async def test_an_app_that_takes_no_more_of_a_body_is_given_up(app: RawApp) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    app.handler = deaf
    async with pool_to(app.port) as pool:
        with pytest.raises(UpstreamUnavailable, match="does not take what is sent"):
            await ask(pool, "POST", b"x" * 50_000_000)


@pytest.mark.parametrize(
    ("method", "body", "sent"), [("GET", None, 2), ("HEAD", None, 2), ("POST", b"x", 1), ("DELETE", None, 1)]
)
async def test_a_kept_connection_that_ends_at_the_request_is_replaced_once_where_that_is_safe(
    app: RawApp, method: str, body: bytes | None, sent: int
) -> None:
    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        if len(app.received) == 2:
            writer.close()  # it had been kept, and the app ends it as the next request comes
        else:
            writer.write(OK if request.line.startswith((b"GET", b"POST")) else OK[:-2])

    app.respond = respond
    async with pool_to(app.port) as pool:
        await ask(pool)
        if sent == 2:
            assert (await ask(pool, method, body))[0] == 200
        else:
            with pytest.raises(UpstreamUnavailable):
                await ask(pool, method, body)
        assert len(app.received) == 1 + sent
        assert app.connections == sent


async def test_a_new_connection_that_ends_without_an_answer_is_not_tried_again(app: RawApp) -> None:
    app.respond = close
    async with pool_to(app.port) as pool:
        with pytest.raises(UpstreamUnavailable):
            await ask(pool)
        assert len(app.received) == 1


async def test_a_kept_connection_that_ended_meanwhile_is_not_used_for_a_mutation(app: RawApp) -> None:
    """What can be seen is not risked: a POST on it would have to be given up."""

    async def once(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        if len(app.received) == 1:
            writer.close()

    app.respond = once
    async with pool_to(app.port) as pool:
        assert await ask(pool) == (200, b"ok")
        while app.open_connections:
            await asyncio.sleep(0)
        assert await ask(pool, "POST", b"x") == (200, b"ok")
        assert len(app.received) == 2


async def test_connections_grow_old_and_are_let_go(app: RawApp) -> None:
    now = 0.0
    async with pool_to(app.port, clock=lambda: now) as pool:
        await ask(pool)
        now = QUICK.keep - 1
        await ask(pool)
        assert app.connections == 1
        now += QUICK.keep + 1
        await ask(pool)
        assert app.connections == 2


async def test_where_all_connections_are_taken_the_next_one_waits_a_moment_and_is_told(app: RawApp) -> None:
    release = asyncio.Event()

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(OK)

    app.respond = respond
    async with pool_to(app.port, Timeouts(acquire=0.2), limit=2) as pool:
        busy = [asyncio.create_task(ask(pool)) for _ in range(2)]
        while len(app.received) < 2:
            await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="All connections to Acme are in use"):
            await ask(pool)
        release.set()
        assert await asyncio.gather(*busy) == [(200, b"ok")] * 2
        assert await ask(pool) == (200, b"ok")
        assert app.connections == 2
        for _ in range(10):  # what was given up counts as taken no more
            task = asyncio.create_task(ask(pool))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert list(await asyncio.gather(ask(pool), ask(pool))) == [(200, b"ok")] * 2


def test_an_open_circuit_lets_one_try_at_a_time() -> None:
    now = 100.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.check("Acme")
        breaker.failed()
    breaker.check("Acme")
    breaker.failed()
    with pytest.raises(UpstreamUnavailable, match="5 times in a row"):
        breaker.check("Acme")
    now += OPEN_SECONDS
    breaker.check("Acme")
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            breaker.check("Acme")
    breaker.failed()
    now += OPEN_SECONDS - 1
    with pytest.raises(UpstreamUnavailable):
        breaker.check("Acme")
    now += 1
    breaker.check("Acme")  # this one is given up, and tells neither way
    with pytest.raises(UpstreamUnavailable):
        breaker.check("Acme")
    now += OPEN_SECONDS
    breaker.check("Acme")
    breaker.succeeded()
    for _ in range(10):
        breaker.check("Acme")


async def test_an_app_that_fails_is_left_alone_and_found_again_by_one_try(app: RawApp) -> None:
    now = 0.0
    app.respond = close
    async with pool_to(app.port, clock=lambda: now) as pool:
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(UpstreamUnavailable, match="ended the connection"):
                await ask(pool)
        for _ in range(10):
            with pytest.raises(UpstreamUnavailable, match="in a row"):
                await ask(pool)
        assert len(app.received) == FAILURES_TO_OPEN, "nobody asks it"
        now += OPEN_SECONDS
        answers = await asyncio.gather(*(ask(pool) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(answer, UpstreamUnavailable) for answer in answers)
        assert len(app.received) == FAILURES_TO_OPEN + 1, "one asks for all"
        app.respond = None
        now += OPEN_SECONDS
        assert await ask(pool) == (200, b"ok")
        assert await asyncio.gather(*(ask(pool) for _ in range(20))) == [(200, b"ok")] * 20


async def test_an_app_is_spoken_to_by_tls_where_its_certificate_is_trusted_for_its_name(tmp_path: Path) -> None:
    certificate, pair = self_signed(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    async with raw_app(tls=context) as app:

        def pool(host: str, trusted: Path | None) -> Pool:
            target = parse_target(f"https://{host}:{app.port}")
            return Pool("Acme", target, timeouts=QUICK, tls=ssl.create_default_context(cafile=trusted))

        trusting = pool("127.0.0.1", certificate)
        for _ in range(3):
            assert await ask(trusting) == (200, b"ok")
            assert await ask(trusting, "POST", b"x" * 1_000_000) == (200, b"ok")
        assert app.connections == 1
        seen = len(app.received)
        for host, trusted in (("127.0.0.1", None), ("localhost", certificate)):
            doubting = pool(host, trusted)
            with pytest.raises(UpstreamError, match=f"no certificate that is trusted for {host}"):
                await ask(doubting)
            doubting.close()
        assert len(app.received) == seen
        trusting.close()
        plain = Pool("Acme", parse_target(f"http://127.0.0.1:{app.port}"), timeouts=QUICK)
        with pytest.raises(UpstreamUnavailable):
            await ask(plain)
