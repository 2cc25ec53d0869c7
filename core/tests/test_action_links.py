"""What an action answers leads to a page of its plugin, with the parameters that the page needs."""

from pathlib import Path

from openlakes_portal.testing import portal_for

from .conftest import WritePlugin

PLUGIN = """
from pydantic import BaseModel

class Nothing(BaseModel, extra="forbid"):
    pass

@hookimpl
def register_pages(context):
    return [Page("thing", "Thing", access=READ, body=[Text("Here")])]

@hookimpl
def register_actions(context):
    async def made(call, body):
        return ActionResult("Made.", link="thing", query=(("of", "a b"), ("number", "1+1")))
    async def plain(call, body):
        return ActionResult("Done.", link="thing")
    async def nowhere(call, body):
        return ActionResult("Done.", query=(("of", "a"),))
    return [Action(name, name, name, Nothing, run, access=READ) for name, run in
        (("made", made), ("plain", plain), ("nowhere", nowhere))]
"""


async def test_an_action_leads_to_a_page_with_its_parameters(write_plugin: WritePlugin, tmp_path: Path) -> None:
    async with portal_for(tmp_path, {}, [write_plugin("acme", PLUGIN)]) as portal:
        viewer = portal.signed_in("viewer")
        links = {
            name: (await viewer.post(f"/api/actions/acme.{name}", json={})).json()["link"]
            for name in ("made", "plain", "nowhere")
        }
    assert links == {"made": "/x/acme/thing?of=a+b&number=1%2B1", "plain": "/x/acme/thing", "nowhere": None}
