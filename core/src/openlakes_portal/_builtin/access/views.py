"""Shapes of the answers about roles and bindings, and of what is sent."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from openlakes_portal._host.grantors import Grantor
from openlakes_portal._rbac.administration import Held, Preview
from openlakes_portal._rbac.policy import Binding
from openlakes_portal._rbac.resources import check_filter

ROLE_NAME = r"^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$"


def one_line(value: object) -> object:
    """A validator: no control, direction or line-break characters."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError("must be one line of printable text")
    return value


Name = Annotated[str, StringConstraints(min_length=1, max_length=300), BeforeValidator(one_line)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=600), BeforeValidator(one_line)]
Filter = Annotated[str, StringConstraints(min_length=1, max_length=500), BeforeValidator(one_line)]


class Body(BaseModel, extra="forbid"):
    """Base of what is sent: a field that is not named here is refused."""


class Paging(BaseModel, extra="forbid"):
    """One page of a list."""

    limit: int = Field(100, ge=1, le=500, description="Most items of a page")
    cursor: str | None = Field(None, max_length=400, description="next_cursor of the page before")


class Tried(BaseModel, extra="forbid"):
    """Whether only to say what the change would give and take."""

    dry_run: bool = False


class GivenView(BaseModel):
    """A permission, and the filter of what it is for (null: everything)."""

    permission: str
    resource: str | None


class EffectView(BaseModel):
    """What one person gains and loses. `subject` is null for a group or subject of whom nobody has signed in yet."""

    subject: str | None
    username: str | None
    name: str
    gains: list[GivenView]
    loses: list[GivenView]


class PreviewView(BaseModel):
    """What a change does. `affected` counts everybody, `effects` holds the first 200."""

    effects: list[EffectView]
    affected: int


class RoleView(BaseModel):
    """A role: from the start (`built-in`, read-only), or made here."""

    name: str
    description: str
    permissions: list[str]
    origin: Literal["built-in", "console"]
    version: int
    bindings: int
    created_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class RoleChanged(BaseModel):
    """A role after a change (null: it is gone), and what the change does."""

    role: RoleView | None
    preview: PreviewView
    dry_run: bool


class NewRole(Body):
    """A role to be made."""

    name: str = Field(pattern=ROLE_NAME, max_length=64)
    description: Name
    permissions: list[str] = Field(max_length=500)


class RoleChange(Body):
    """What changes of a role; a field that is left out stays."""

    description: Name | None = None
    permissions: list[str] | None = Field(None, max_length=500)


class BindingView(BaseModel):
    """A binding. Those of the settings and of the demo are read-only here. `role` may be one permission's name."""

    id: str
    role: str
    kind: Literal["role", "permission", "unknown"]
    group: str | None
    subject: str | None
    subject_username: str | None = Field(description="Null for a group, and for somebody who was not seen yet")
    subject_name: str | None
    resource: str | None
    expires_at: datetime | None
    ended: bool
    origin: Literal["settings", "demo", "console", "request", "share"]
    read_only: bool
    reason: str
    created_by: str
    created_at: datetime | None
    version: int


class BindingChanged(BaseModel):
    """A binding after a change (null: it is gone), and what the change does."""

    binding: BindingView | None
    preview: PreviewView
    dry_run: bool


class BindingFilter(Paging):
    """Which bindings."""

    role: str | None = Field(None, max_length=200)
    group: str | None = Field(None, max_length=300)
    subject: str | None = Field(None, max_length=600, description="User name, or issuer#subject: finds both")


class NewBinding(Body):
    """A binding to be made."""

    role: str = Field(min_length=1, max_length=64, description="A role, or one permission")
    group: Name | None = None
    subject: Subject | None = Field(None, description="User name, or issuer#subject")
    resource: Filter | None = Field(None, description="Only for what matches: catalog=lakehouse/schema=nyc_*")
    expires_at: AwareDatetime | None = None
    reason: Name

    @model_validator(mode="after")
    def _whole(self) -> "NewBinding":
        if (self.group is None) == (self.subject is None):
            raise ValueError("name either a group or a subject")
        if self.resource is not None:
            check_filter(self.resource)
        return self


class BindingChange(Body):
    """What changes of a binding; a field that is left out stays. Whom it is for and what it gives cannot change."""

    resource: Filter | None = None
    expires_at: AwareDatetime | None = None
    reason: Name | None = None

    @model_validator(mode="after")
    def _readable(self) -> "BindingChange":
        if self.resource is not None:
            check_filter(self.resource)
        if "reason" in self.model_fields_set and self.reason is None:
            raise ValueError("a binding keeps a reason")
        return self


class GrantorView(BaseModel):
    """Somebody who can grant."""

    kind: Literal["owner", "person", "group"]
    name: str
    username: str | None


def given(items: Held) -> list[GivenView]:
    """Permissions in order."""
    ordered = sorted(items, key=lambda item: (item[0], item[1] or ""))
    return [GivenView(permission=permission, resource=resource) for permission, resource in ordered]


def preview_view(preview: Preview) -> PreviewView:
    """A preview as it is shown."""
    effects = [
        EffectView(subject=e.subject, username=e.username, name=e.name, gains=given(e.gains), loses=given(e.loses))
        for e in preview.effects
    ]
    return PreviewView(effects=effects, affected=preview.affected)


def grantor_views(grantors: list[Grantor]) -> list[GrantorView]:
    """Grantors as they are shown."""
    return [GrantorView(kind=g.kind, name=g.name, username=g.username) for g in grantors]


def binding_view(
    binding: Binding, kind: Literal["role", "permission", "unknown"], person: tuple[str, str] | None, at: datetime
) -> BindingView:
    """A binding as it is shown; `person` is the user name and the name of its subject."""
    username, name = person or (None, None)
    return BindingView(
        id=binding.id,
        role=binding.role,
        kind=kind,
        group=binding.group,
        subject=binding.subject,
        subject_username=username,
        subject_name=name,
        resource=binding.resource,
        expires_at=binding.expires_at,
        ended=not binding.in_force(at),
        origin=binding.origin,
        read_only=binding.origin in ("settings", "demo"),
        reason=binding.reason,
        created_by=binding.created_by,
        created_at=binding.created_at,
        version=binding.version,
    )
