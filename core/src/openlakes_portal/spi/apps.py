"""Real web UIs of upstream systems, behind the gateway. Declared here; served by the gateway (see the roadmap)."""

import re
from dataclasses import dataclass
from typing import Literal

from openlakes_portal.spi.access import Permission

APP_ID = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")


@dataclass(frozen=True)
class AppIdentity:
    """How the person's identity is delivered: the plain user name in `header`, a token of `audience` as `bearer` or
    in a `signed-header`, a `cookie` set on the server's side, or not at all."""

    kind: Literal["header", "signed-header", "bearer", "cookie", "none"]
    header: str | None = None
    audience: str | None = None


@dataclass(frozen=True)
class UpstreamApp:
    """The real UI of a system: `id` becomes its host name (`<id>.<portal host>`), `target` is fixed here and never
    by a request."""

    id: str
    title: str
    target: str
    access: Permission
    identity: AppIdentity
    websocket: bool = False
    request_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not APP_ID.match(self.id):
            raise ValueError(f"app id {self.id!r} is not lower-case words joined by '-'")
