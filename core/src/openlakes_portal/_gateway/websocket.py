"""WebSockets of apps: messages both ways, one at a time, until one side is done."""

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import structlog

from openlakes_portal._gateway import request_headers
from openlakes_portal._gateway.apps import App
from openlakes_portal._gateway.identity import identity_headers
from openlakes_portal._gateway.keeper import Keeper, Refused, Stopping
from openlakes_portal._gateway.request_headers import Forwarding, Header
from openlakes_portal._gateway.targets import addresses
from openlakes_portal._http.sse import Holder
from openlakes_portal.spi import Principal, UpstreamError, UpstreamUnavailable

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MAX_MESSAGE = 16 * 1024 * 1024
OPEN_SECONDS = 10.0
CLOSE_SECONDS = 5.0
SIGNED_OUT, FAILED, GOING, TOO_BIG = 1008, 1011, 1001, 1009
"""Close codes (RFC 6455, 7.4.1): policy violation, internal error, going away, message too big."""
log = structlog.get_logger("gateway")


async def relay(
    app: App,
    target: bytes,
    scope: Any,
    receive: Any,
    send: Any,
    principal: Principal,
    forwarding: Forwarding,
    keeper: Keeper,
    holder: Holder,
) -> None:
    """Open the app's WebSocket as this person, accept the browser's, and carry messages. The browser's is refused
    (HTTP 403 or 503 before it is accepted) where the app's does not open: raises `UpstreamError`."""
    identity = await identity_headers(app, principal)
    sent = [(name, value) for name, value in scope["headers"] if not name.startswith(b"sec-websocket")]
    headers = request_headers.build(sent, app.request_headers, forwarding, identity)
    upstream = await _open(app, target.decode("ascii"), headers, list(scope.get("subprotocols", ())))
    code = GOING
    try:
        await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
        with keeper.watch(holder, endless=True):
            code = await _carry(upstream, receive, send)
    except Stopping:
        code = GOING
    except Refused:
        code = SIGNED_OUT
    finally:
        await _end(upstream, send, code)


async def _open(app: App, target: str, headers: list[Header], subprotocols: list[str]) -> "ClientConnection":
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus

    pool = app.pool
    named = {name: value.decode("latin-1") for name, value in headers if name == b"host" or name == b"origin"}
    more = [(n.decode(), v.decode("latin-1")) for n, v in headers if n not in (b"host", b"origin", b"connection")]
    scheme = "wss" if app.target.tls else "ws"
    pool.breaker.check(pool.name)
    try:
        taken = await _socket(app)
        opened = await connect(
            f"{scheme}://{named[b'host']}{target}",
            sock=taken,
            ssl=pool.tls if app.target.tls else None,
            server_hostname=app.target.host if app.target.tls else None,
            origin=named.get(b"origin"),  # type: ignore[arg-type]  # a plain string, as the browser sent it
            subprotocols=subprotocols or None,  # type: ignore[arg-type]
            additional_headers=more,
            user_agent_header=None,
            compression=None,  # what would have to be unpacked to be judged is not asked for
            proxy=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,
            max_size=MAX_MESSAGE,
            max_queue=8,
        )
    except InvalidStatus as error:
        pool.breaker.succeeded()
        raise UpstreamError(f"{pool.name} refused the WebSocket: {error.response.status_code}.") from None
    except InvalidHandshake as error:
        raise UpstreamError(f"{pool.name} answered the WebSocket's opening wrongly: {error}.") from None
    except (OSError, TimeoutError) as error:
        pool.breaker.failed()
        raise UpstreamUnavailable(f"{pool.name} cannot be reached: {type(error).__name__}.") from None
    pool.breaker.succeeded()
    return opened


async def _socket(app: App) -> socket.socket:
    """Connected to an address that was judged."""
    loop, last = asyncio.get_running_loop(), OSError("no address")
    for address in await addresses(app.target):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        taken = socket.socket(family, socket.SOCK_STREAM)
        taken.setblocking(False)
        try:
            async with asyncio.timeout(app.pool.timeouts.connect):
                await loop.sock_connect(taken, (address, app.target.port))
            return taken
        except (OSError, TimeoutError) as error:
            taken.close()
            last = OSError(str(error))
    raise last


async def _carry(upstream: "ClientConnection", receive: Any, send: Any) -> int:
    """Messages both ways until one side is done; the code to close the other with."""
    there = asyncio.create_task(_to_app(upstream, receive))
    back = asyncio.create_task(_to_browser(upstream, send))
    try:
        done, _ = await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in (there, back):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _to_app(upstream: "ClientConnection", receive: Any) -> int:
    from websockets.exceptions import ConnectionClosed

    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = int(message.get("code") or GOING)
            return code if _is_sendable(code) else GOING
        if message["type"] != "websocket.receive":
            continue
        text = message.get("text")
        data = text if text is not None else message.get("bytes") or b""
        if len(data) > MAX_MESSAGE:
            return TOO_BIG
        try:
            await upstream.send(data)
        except ConnectionClosed as closed:
            return _code(closed)


async def _to_browser(upstream: "ClientConnection", send: Any) -> int:
    from websockets.exceptions import ConnectionClosed

    while True:
        try:
            message = await upstream.recv()
        except ConnectionClosed as closed:
            return _code(closed)
        kind = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", kind: message})


def _code(closed: Any) -> int:
    """The app's code, where it may be sent on (RFC 6455, 7.4: 1004 to 1006 and 1015 are never on the wire)."""
    ended = closed.rcvd or closed.sent  # `sent` alone: what came was too big, or no WebSocket
    code = ended.code if ended is not None else FAILED
    return int(code) if _is_sendable(code) else FAILED


async def _end(upstream: "ClientConnection", send: Any, code: int) -> None:
    """Close both; either may be gone already."""
    with contextlib.suppress(Exception):
        await send({"type": "websocket.close", "code": code})
    with contextlib.suppress(Exception):
        await upstream.close(code)


def _is_sendable(code: int) -> bool:
    return code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code < 5000
