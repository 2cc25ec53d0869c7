"""Real web UIs of upstream systems, behind the gateway: declared here, served by it."""

import re
from dataclasses import dataclass
from pathlib import Path
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

    def __post_init__(self) -> None:
        if self.kind in ("header", "signed-header") and not self.header:
            raise ValueError(f"an identity of kind {self.kind!r} names its header")
        if self.kind in ("bearer", "signed-header", "cookie") and not self.audience:
            raise ValueError(f"an identity of kind {self.kind!r} names its audience")


@dataclass(frozen=True)
class UpstreamApp:
    """The real UI of a system: `id` becomes its host name (`<id>.<portal host>`), `target` (scheme, host and port) is
    fixed here and never by a request.

    `request_headers` names what is passed to it besides what browsers send by themselves (`X-CSRFToken`); `icon` is of
    its line in the navigation, `order` its place there; `ca_file` holds certificates that are trusted for it (PEM).
    """

    id: str
    title: str
    target: str
    access: Permission
    identity: AppIdentity
    websocket: bool = False
    request_headers: tuple[str, ...] = ()
    icon: str = "app"
    order: int = 100
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        if not APP_ID.match(self.id):
            raise ValueError(f"app id {self.id!r} is not lower-case words joined by '-'")
