"""Settings of the plugin (`plugins.observability`): where the two servers are, and how they are spoken to."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, HttpUrl, SecretStr, model_validator


class ServerSettings(BaseModel, extra="forbid"):
    """One server: its address, and the account by which it lets the portal in where it asks for one."""

    address: HttpUrl | None = Field(None, description="Its address, with the path of its own where it has one")
    timeout: float = Field(5.0, gt=0, le=60, description="Seconds before one call is given up")
    ca_file: Path | None = Field(None, description="CA file that its certificate is checked against")
    username: str | None = Field(None, description="User of HTTP basic authentication")
    password: SecretStr | None = Field(None, description="Its password")
    bearer_token: SecretStr | None = Field(None, description="Token, where it takes one instead of a password")
    web_page: bool = Field(True, description="Whether its own web page is opened through the portal")

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password are given both or neither")
        if self.username is not None and ":" in self.username:
            raise ValueError("username must hold no colon")
        if self.username is not None and self.bearer_token is not None:
            raise ValueError("give a user name with its password, or a bearer token, but not both")
        return self

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address, which must be set."""
        parts = urlsplit(str(self.address))
        return f"{parts.scheme}://{parts.netloc}"


class Settings(BaseModel, extra="forbid"):
    """Metrics and alerts, as Prometheus and Alertmanager have them."""

    prometheus: ServerSettings = Field(default_factory=ServerSettings, description="Prometheus, or what speaks its API")
    alertmanager: ServerSettings = Field(default_factory=ServerSettings, description="Alertmanager")
    metrics_job: str = Field(
        "openlakes-portal", min_length=1, description="Name of the scrape job that reads this portal's own /metrics"
    )

    @property
    def servers(self) -> dict[str, ServerSettings]:
        """Those that are configured, by name."""
        both = {"prometheus": self.prometheus, "alertmanager": self.alertmanager}
        return {name: server for name, server in both.items() if server.address is not None}
