"""Actions: a pydantic model and a function, from which come the form, the dry run, the confirmation, the audit
records, the palette entry, the API and the agents' tool."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from openlakes_portal.spi.access import Permission, Principal

ACTION_ID = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")


class ActionCall(Protocol):
    """What an action's function knows of the call besides its input."""

    @property
    def principal(self) -> Principal:
        """Who does it."""

    @property
    def dry_run(self) -> bool:
        """Whether it must only say what it would do: nothing may change then."""

    @property
    def request_id(self) -> str:
        """The request id, for the upstream's own records."""


@dataclass(frozen=True)
class ActionResult:
    """What was done (or, in a dry run, would be): a sentence, each effect in words, and where to see it."""

    message: str
    effects: tuple[str, ...] = ()
    link: str | None = None
    """A page of the same plugin, by id, to look at next."""
    query: tuple[tuple[str, str], ...] = ()
    """Parameters of that page's address, as a search result has them."""
    output: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Action:
    """Something a person can do. Its full id is `<plugin id>.<id>`.

    `danger` decides the confirmation: `none`, `confirm` (a question), `destructive` (type the object's name, the
    input field `confirm_field`). `quick` puts it among the quick actions of Home, for `roles` (empty: everybody who
    holds the permission). A run writes intent and outcome to the audit under `event`, by default the full id;
    `audit_object` names the input field that says on what (by default the action itself is named).
    """

    id: str
    title: str
    description: str
    input: type[BaseModel]
    run: Callable[[ActionCall, Any], Awaitable[ActionResult]]
    access: Permission
    danger: Literal["none", "confirm", "destructive"] = "none"
    confirm_field: str | None = None
    quick: bool = False
    roles: tuple[str, ...] = ()
    icon: str = "play"
    event: str | None = None
    audit_object: str | None = None

    def __post_init__(self) -> None:
        if self.audit_object is not None and self.audit_object not in self.input.model_fields:
            raise ValueError(f"action {self.id!r}: audit_object must name an input, and names {self.audit_object!r}")
        if not ACTION_ID.match(self.id):
            raise ValueError(f"action id {self.id!r} is not lower-case words joined by '-'")
        if not isinstance(self.access, Permission):
            raise TypeError(f"action {self.id!r}: access must be a Permission")
        if self.danger == "destructive" and self.confirm_field not in self.input.model_fields:
            raise ValueError(f"action {self.id!r} is destructive: confirm_field must name the input to type again")
