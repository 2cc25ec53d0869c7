"""The app that the soaks put behind the gateway: a raw ASGI application in a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_servers import child

SOURCE = """
import asyncio
BODY = b"x" * 2048
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(1)
    if scope["path"] == "/hang":
        await asyncio.sleep(3600)
    if scope["path"] == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: tick\\n\\n", "more_body": True})
            await asyncio.sleep(1)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2048")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
"""
MOST = 5000
"""Requests and WebSockets that it has open at once."""


@contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """The app, once it answers."""
    (folder / "soak_app.py").write_text(SOURCE)
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--no-log"]
    process = child.start([*command, "--backpressure", str(MOST), "soak_app:app"], folder / "app.log", cwd=folder)
    try:
        process.wait_until(lambda: child.accepts(port), 30)
        yield
    finally:
        process.stop()
