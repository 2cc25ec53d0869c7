"""The systems that a plugin talks to: declared once, called through one pooled client with one error vocabulary."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import AnyUrl

from openlakes_portal.spi.access import Principal

UPSTREAM_NAME = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")


@dataclass(frozen=True)
class Tls:
    """How the upstream's certificate is checked: against `ca_file`, else against the system's trust store."""

    ca_file: Path | None = None


@dataclass(frozen=True)
class Upstream:
    """A system over HTTP: its name within the plugin, its base address, seconds before a call is given up.

    Where the plugin registers a token exchanger of the same name as audience, `on_behalf_of` uses it.
    """

    name: str
    address: str | AnyUrl
    timeout: float = 10.0
    tls: Tls = Tls()
    max_connections: int = 20
    max_body: int = 32 * 1024 * 1024

    def __post_init__(self) -> None:
        if not UPSTREAM_NAME.match(self.name):
            raise ValueError(f"upstream name {self.name!r} is not lower-case words joined by '-'")
        object.__setattr__(self, "address", str(self.address).rstrip("/"))
        parts = urlsplit(self.base_address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"upstream {self.name!r}: {self.address!r} is not an http(s) address")
        if parts.username or parts.password:
            raise ValueError(f"upstream {self.name!r}: the address must not hold a user name or password")
        if self.timeout <= 0:
            raise ValueError(f"upstream {self.name!r}: timeout must be above 0 seconds")

    @property
    def base_address(self) -> str:
        """The address as text, without a trailing slash."""
        return str(self.address)


@dataclass(frozen=True)
class UpstreamResponse:
    """A raw answer, for the rare case where JSON is not what the upstream speaks."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class UpstreamClient(Protocol):
    """One pooled client. Every call carries the request id, has a deadline, and raises only the SPI's errors:
    `UpstreamUnavailable` (refused, reset, timed out, circuit open), `UpstreamAuthFailed` (401, 403),
    `NotFound` (404), `Conflict` (409), `Limited` (429), `UpstreamError` (anything else that cannot be used).

    GET and HEAD are tried again once where nothing was answered; nothing else ever is. After five failures in a row
    the circuit opens for a few seconds and calls fail at once. Redirects are not followed.
    """

    async def get(
        self, path: str, *, params: Mapping[str, str] | None = None, on_behalf_of: Principal | None = None
    ) -> Any:
        """GET and parse JSON."""

    async def post(
        self,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        on_behalf_of: Principal | None = None,
    ) -> Any:
        """POST JSON and parse JSON (None where the answer has no body)."""

    async def put(self, path: str, *, json: Any = None, on_behalf_of: Principal | None = None) -> Any:
        """PUT JSON and parse JSON."""

    async def patch(self, path: str, *, json: Any = None, on_behalf_of: Principal | None = None) -> Any:
        """PATCH with JSON and parse JSON."""

    async def delete(self, path: str, *, on_behalf_of: Principal | None = None) -> Any:
        """DELETE and parse JSON (None where the answer has no body)."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        on_behalf_of: Principal | None = None,
        raise_for_status: bool = True,
        max_body: int | None = None,
    ) -> UpstreamResponse:
        """Any call, with the raw answer. `max_body` in bytes holds for this call instead of the upstream's own; raises
        `UpstreamAnswerTooLarge` for more."""

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        on_behalf_of: Principal | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """An answer of any length, piece by piece; the deadline holds for each piece."""
