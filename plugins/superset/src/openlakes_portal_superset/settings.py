"""Settings of the Superset plugin (`plugins.superset`): where it is, and how long a call may take."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, HttpUrl, model_validator

AUDIENCE = "superset"
"""Of the portal's tokens for it; also the name of the upstream, and of the app."""


class Settings(BaseModel, extra="forbid"):
    """Where Superset is."""

    address: HttpUrl | None = Field(
        None, description="Address of Superset, with its prefix where it has one (/apps/superset); none: it is off"
    )
    verify: Path | None = Field(None, description="CA file that its certificate is checked against")
    timeout: float = Field(15.0, gt=0, le=300, description="Seconds before one call is given up")
    thumbnails: bool = Field(
        False, description="Ask Superset for pictures of dashboards and charts (its feature THUMBNAILS must be on)"
    )
    databases: dict[str, str] = Field(
        default_factory=dict,
        description="Which database of Superset an SQL engine of the portal is, by the engine's id; otherwise the only "
        "one of its kind",
    )

    @model_validator(mode="after")
    def _an_address_is_a_place(self) -> Self:
        if self.address is not None and (self.address.query or self.address.fragment):
            raise ValueError("address: a scheme, a host, a port and a prefix, without '?' and '#'")
        return self

    @property
    def target(self) -> str | None:
        """Scheme, host and port, for the gateway, which passes paths on as they are."""
        if self.address is None:
            return None
        parts = urlsplit(str(self.address))
        return f"{parts.scheme}://{parts.netloc}"
