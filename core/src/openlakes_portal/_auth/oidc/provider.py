"""What the identity provider says of itself (OpenID Connect Discovery 1.0), and its keys (RFC 7517).

The issuer is pinned: what is discovered must name it exactly. How often its keys are fetched says `keys`.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from openlakes_portal._auth.oidc.errors import ProviderMisconfigured, ProviderUnavailable
from openlakes_portal._auth.oidc.fetch import Fetcher
from openlakes_portal._auth.oidc.keys import FAILED_FOR, KeySet
from openlakes_portal._auth.personas import is_loopback
from openlakes_portal._settings.model import OidcSettings
from openlakes_portal.spi import PortalError

METADATA_FOR = 3600.0
ANSWERED_FOR = 10.0
"""Seconds for which an answer shows that nobody is sent to a provider that is away."""

log = structlog.get_logger("oidc")


@dataclass(frozen=True)
class Metadata:
    """The endpoints, and whether answers name their issuer (RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    revocation_endpoint: str | None
    names_issuer: bool


class Provider:
    """One identity provider."""

    def __init__(self, settings: OidcSettings, fetch: Fetcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._fetch = fetch
        self._clock = clock
        self._metadata: tuple[float, Metadata | PortalError] | None = None
        self._keys = KeySet(self._load_keys, clock)
        self._lock = asyncio.Lock()
        self._answered: tuple[float, ProviderUnavailable | None] | None = None
        self._asking = asyncio.Lock()

    @property
    def settings(self) -> OidcSettings:
        """How the provider was configured."""
        return self._settings

    @property
    def fetch(self) -> Fetcher:
        """The way to call it."""
        return self._fetch

    async def metadata(self) -> Metadata:
        """Its endpoints. Raises `ProviderUnavailable` or `ProviderMisconfigured`."""
        async with self._lock:
            held = self._metadata
            lasts = FAILED_FOR if held and isinstance(held[1], PortalError) else METADATA_FOR
            if held is None or self._clock() - held[0] > lasts:
                held = (self._clock(), await self._discover(held[1] if held else None))
                self._metadata = held
        if isinstance(held[1], PortalError):
            raise held[1]
        return held[1]

    async def answers(self) -> None:
        """Raises `ProviderUnavailable` where it does not answer now: who is sent there sees the browser's own
        page of errors, and no way on. One call serves everybody for a while."""
        async with self._asking:
            moment, failed = self._answered or (float("-inf"), None)
            if self._clock() - moment > (FAILED_FOR if failed else ANSWERED_FOR):
                failed = await self._try()
                self._answered = (self._clock(), failed)
        if failed is not None:
            raise failed

    async def _try(self) -> ProviderUnavailable | None:
        try:
            answer = await self._fetch.get(self._discovery)
        except ProviderUnavailable as error:
            return error
        if answer.status >= 500:
            return ProviderUnavailable(f"The identity provider answers {answer.status}.")
        return None

    @property
    def _discovery(self) -> str:
        return self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"

    async def _discover(self, before: Metadata | PortalError | None) -> Metadata | PortalError:
        url = self._discovery
        try:
            answer = await self._fetch.get(url)
            if answer.status != 200:
                raise ProviderMisconfigured(
                    f"{url} answers {answer.status}.", remedy="Correct auth.oidc.issuer: it is no issuer's address."
                )
            return parse_metadata(answer.data, self._settings.issuer)
        except ProviderUnavailable as error:
            # What it said an hour ago serves as long as it cannot be asked.
            return before if isinstance(before, Metadata) else error
        except PortalError as error:
            return error

    async def keys(self, kid: str | None) -> tuple[Any, ...]:
        """The keys that may have signed a token with this `kid`, all of them where it names none."""
        await self.metadata()
        return await self._keys.find(kid)

    async def _load_keys(self) -> list[Any]:
        answer = await self._fetch.get((await self.metadata()).jwks_uri)
        found = answer.data.get("keys")
        if answer.status != 200 or not isinstance(found, list):
            raise ProviderUnavailable(f"The keys of the identity provider cannot be read ({answer.status}).")
        return found


def parse_metadata(data: dict[str, Any], issuer: str) -> Metadata:
    """Discovery's answer. Raises `ProviderMisconfigured`, in words for an operator."""
    stated = data.get("issuer")
    if stated != issuer:
        words = str(stated)[:200]
        remedy = f"Set auth.oidc.issuer to exactly what it states, if that is your provider: {words}"
        if "{tenantid}" in words.lower():
            remedy = "Set auth.oidc.issuer to your own tenant's: https://login.microsoftonline.com/<tenant id>/v2.0"
        raise ProviderMisconfigured(f"The identity provider says that its issuer is {words!r}.", remedy=remedy)

    def endpoint(name: str, required: bool) -> str | None:
        value = data.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, str) or not is_safe(value, issuer):
            raise ProviderMisconfigured(
                f"The identity provider states no usable {name}: {str(value)[:200]!r}.",
                remedy="It must be an https address (http only where issuer and portal are on loopback).",
            )
        return value

    authorization, token, keys = (
        endpoint(name, True) or "" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    )
    methods = data.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise ProviderMisconfigured(
            "The identity provider does not support PKCE with S256.", remedy="Turn it on there; nothing less is used."
        )
    return Metadata(
        issuer,
        authorization,
        token,
        keys,
        endpoint("userinfo_endpoint", False),
        endpoint("end_session_endpoint", False),
        endpoint("revocation_endpoint", False),
        data.get("authorization_response_iss_parameter_supported") is True,
    )


def is_safe(url: str, issuer: str) -> bool:
    """Whether what an issuer names may be called: https, or http where the issuer itself is http on loopback."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and urlsplit(issuer).scheme == "http" and is_loopback(parts.hostname)
