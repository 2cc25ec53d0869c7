"""Actions: listed for those who may, run with their input checked, dry or for real."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from openlakes_portal._builtin.views import ActionAnswer, ActionView
from openlakes_portal._host.context import refused
from openlakes_portal._host.portal import Portal
from openlakes_portal._host.registry import BoundAction, may
from openlakes_portal._http.problems import invalid
from openlakes_portal.spi import ActionResult, NotFound, Principal


@dataclass(frozen=True)
class Call:
    """What an action's function knows of the call."""

    principal: Principal
    dry_run: bool
    request_id: str


def list_actions(portal: Portal, principal: Principal) -> list[ActionView]:
    """Actions that this person may run."""
    return [
        ActionView(
            id=bound.id,
            plugin=bound.contribution.id,
            title=bound.action.title,
            description=bound.action.description,
            danger=bound.action.danger,
            confirm_field=bound.action.confirm_field,
            quick=bound.action.quick and (not bound.action.roles or bool(set(bound.action.roles) & principal.roles)),
            icon=bound.action.icon,
            input_schema=bound.action.input.model_json_schema(),
        )
        for bound in portal.registry.actions.values()
        if may(principal, bound.action.access)
    ]


def find_action(portal: Portal, principal: Principal, action_id: str) -> BoundAction:
    """The action, if this person may run it; one that may not be run is known only to those who see its name."""
    bound = portal.registry.actions.get(action_id)
    if bound is None:
        raise NotFound("There is no such action.")
    if not may(principal, bound.action.access):
        raise refused(bound.action.access)
    return bound


async def run_action(bound: BoundAction, call: Call, body: Any) -> ActionAnswer:
    """Check the input and run."""
    try:
        arguments = bound.action.input.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from None
    result = await bound.action.run(call, arguments)
    if not isinstance(result, ActionResult):
        raise TypeError(f"action {bound.id} returned {type(result).__name__}, not an ActionResult")
    link = bound.contribution.page_path(result.link) if result.link else None
    if link is not None and result.query:
        link += f"?{urlencode(result.query)}"
    return ActionAnswer(
        message=result.message, effects=list(result.effects), link=link, output=result.output, dry_run=call.dry_run
    )
