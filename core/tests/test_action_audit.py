"""An action's audit records say on what, from the intent on, also when nothing came of it."""

from pathlib import Path

from openlakes_portal.testing import portal_for

from .conftest import WritePlugin

PLUGIN = """
from pydantic import BaseModel, Field

class Which(BaseModel, extra="forbid"):
    query: str = Field(max_length=50)

@hookimpl
def register_actions(context):
    async def stop(call, body):
        if body.query == "gone":
            raise NotFound("It is gone.")
        return ActionResult("Stopped.")
    return [
        Action("stop", "Stop", "Stops one", Which, stop, access=READ, audit_object="query"),
        Action("plain", "Plain", "Stops one", Which, stop, access=READ),
    ]
"""


async def test_the_object_of_an_action_stands_in_its_records(write_plugin: WritePlugin, tmp_path: Path) -> None:
    async with portal_for(tmp_path, {}, [write_plugin("acme", PLUGIN)]) as portal:
        viewer, admin = portal.signed_in("viewer"), portal.signed_in("platform-admin")
        assert (await viewer.post("/api/actions/acme.stop", json={"query": "q1"})).status_code == 200
        assert (await viewer.post("/api/actions/acme.stop", json={"query": "gone"})).status_code == 404
        assert (await viewer.post("/api/actions/acme.stop", json={"query": ["no", "text"]})).status_code == 422
        assert (await viewer.post("/api/actions/acme.plain", json={"query": "q1"})).status_code == 200
        items = (await admin.get("/api/audit?limit=100")).json()["items"]
    found = {(one["action"], one["object"], one["phase"]) for one in items if one["action"].startswith("acme.")}
    assert found == {
        (action, object, phase)
        for action, object in (
            ("acme.stop", "q1"),
            ("acme.stop", "gone"),
            ("acme.stop", "acme.stop"),
            ("acme.plain", "acme.plain"),
        )
        for phase in ("intent", "outcome")
    }
