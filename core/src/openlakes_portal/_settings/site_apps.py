"""Settings of a site's own web pages: apps behind the gateway without a plugin."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from openlakes_portal._settings.section import Section
from openlakes_portal.spi import ROLES
from openlakes_portal.spi.apps import APP_ID

HEADER = r"^[A-Za-z0-9-]+$"


class SiteAppIdentity(Section):
    """How such a page learns who it is."""

    kind: Literal["header", "bearer", "none"] = Field(
        "none", description="The plain user name in `header`; a token of the portal for `audience`; not at all"
    )
    header: str | None = Field(None, pattern=HEADER, max_length=100, description="Of kind `header`: X-Remote-User")
    audience: str | None = Field(None, min_length=1, max_length=300, description="Of kind `bearer`: `aud` of the token")

    @model_validator(mode="after")
    def _whole(self) -> "SiteAppIdentity":
        if (self.kind == "header") != (self.header is not None):
            raise ValueError("kind header, and no other, names a header")
        if (self.kind == "bearer") != (self.audience is not None):
            raise ValueError("kind bearer, and no other, names an audience")
        return self


class SiteApp(Section):
    """One page."""

    id: str = Field(pattern=APP_ID.pattern, max_length=40, description="Its host is <id>.<portal host>")
    title: str = Field(min_length=1, max_length=80, description="In the navigation")
    target: str = Field(max_length=300, description="Where it is: scheme, host and port. Loopback only if written so")
    roles: tuple[str, ...] = Field((), description="Who may open it from the start, besides platform-admin")
    identity: SiteAppIdentity = SiteAppIdentity()
    websocket: bool = Field(False, description="Whether it has WebSockets")
    request_headers: tuple[str, ...] = Field((), description="Passed to it besides what browsers send by themselves")
    health: str | None = Field(
        None,
        pattern=r"^/[!-~]*$",
        max_length=300,
        description="Path that tells whether it is well; without it nobody connects but for a person's request",
    )

    @field_validator("target")
    @classmethod
    def _readable(cls, value: str) -> str:
        from openlakes_portal._gateway.targets import TargetError, parse_target

        try:
            parse_target(value)
        except TargetError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("request_headers")
    @classmethod
    def _declarable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from openlakes_portal._gateway.request_headers import declarable

        for name in value:
            if not declarable(name):
                raise ValueError(f"{name[:60]!r} says who somebody is or where a request goes, and is not passed on")
        return value

    @field_validator("roles")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(ROLES))
        if unknown:
            raise ValueError(f"unknown roles {', '.join(unknown)}; bindings give the permission to others")
        return value
