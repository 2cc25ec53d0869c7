"""A plugin's answer with a status that is none is an error of that plugin, and not the end of the process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.testing import portal_for

WritePlugin = Callable[..., Candidate]
PLUGIN = """
@hookimpl
def register_routes(context):
    async def reply(request: Request) -> Reply[str]:
        return Reply("x", status=int(request.query("status")))
    async def app(scope, receive, send):
        status = int(scope["query_string"].decode().partition("=")[2])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
    return [Route("GET", "reply", reply, access=READ), AsgiRoute("raw", app, access=READ)]
"""


@pytest.mark.parametrize("path", ["reply", "raw"])
async def test_a_status_that_is_none_is_500(write_plugin: WritePlugin, tmp_path: Path, path: str) -> None:
    async with portal_for(tmp_path / "data", {}, [write_plugin("acme", PLUGIN)]) as portal:
        person = portal.signed_in("data-engineer")
        for status in (-1, 0, 42, 99, 100, 101, 199, 600, 999, 1000, 70_000):
            answer = await person.get(f"/api/plugins/acme/{path}?status={status}")
            assert answer.status_code == 500, status
        for status in (201, 299, 418):
            answer = await person.get(f"/api/plugins/acme/{path}?status={status}")
            assert answer.status_code == status
