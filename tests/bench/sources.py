"""Source of what the measured servers run: a raw ASGI application, a bare Starlette one, and a plugin."""

RAW = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/ticks":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b'data: {"n": 1}\\n\\n', "more_body": True})
            await asyncio.sleep(1)
    body = b'{"items":[{"id":"1","name":"one"}],"next_cursor":null}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""

PLUGIN = """
import asyncio
{prelude}
from openlakes_portal.spi import *
from openlakes_portal.spi import hookimpl
READ = Permission("{id}:thing:read", "See things", roles=("viewer",))
WRITE = Permission("{id}:thing:write", "Change things", roles=("viewer",))
@hookimpl
def plugin_manifest():
    return PluginManifest(id="{id}", title="{id}", contract="1.0")
@hookimpl
def register_permissions(context):
    return [READ, WRITE]
@hookimpl
def register_routes(context):
    async def things(request: Request) -> dict[str, object]:
        return {{"items": [{{"id": "1", "name": "one"}}], "next_cursor": None}}
    async def change(request: Request) -> dict[str, object]:
        return {{"id": "1", "name": "one"}}
    async def ticking():
        while True:
            yield Event({{"n": 1}})
            await asyncio.sleep(1)
    async def ticks(request: Request) -> Events:
        return Events(ticking())
    found = [Route("GET", f"things{{n}}", things, access=READ) for n in range({routes})]
    found += [Route("POST", "things", change, access=WRITE)]
    return [*found, Route("GET", "ticks", ticks, access=READ, produces=("text/event-stream",))]
"""

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("x"))])
"""
