"""The portal's tokens (RFC 7519), verified by its published keys (RFC 7517) where they are used.

Keys are fetched when the first token comes, again when they are older than five minutes, and for a key that is not
known, at most twice a minute: nobody makes Airflow call the portal more often by sending tokens. While the portal
does not answer, the keys that are held count for fifteen minutes: longer than any token of the portal lives.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import jwt

ALGORITHMS = ("EdDSA", "ES256")
CLAIMS = ("iss", "sub", "aud", "iat", "nbf", "exp")
FRESH = 300.0
USABLE = 900.0
AGAIN = 30.0
"""Seconds from one fetch to the next, whatever is asked for: a key is published long before it signs."""
TIMEOUT = 5.0
MAX_TOKEN = 8192
"""Characters of a token; no token of the portal is nearly as long."""


class KeysUnavailable(Exception):
    """The portal's keys cannot be had: no token can be judged. The message says from where, and why."""


@dataclass(frozen=True)
class Trust:
    """Whose tokens count: the issuer as it stands in `iss`, this system's audience, where the keys are published
    (`ca_file`: certificates that are trusted for that address), and seconds that clocks may differ."""

    issuer: str
    audience: str
    jwks_url: str
    ca_file: str | None = None
    leeway: float = 10.0


class PublishedKeys:
    """The portal's public keys, by their `kid`."""

    def __init__(self, trust: Trust, clock: Callable[[], float] = time.monotonic) -> None:
        self._trust = trust
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._fault: Exception | None = None
        self._one = asyncio.Lock()

    async def named(self, kid: str) -> "jwt.PyJWK | None":
        """The key, or None where the portal has none of this name. Raises `KeysUnavailable`."""
        if self._wants_fetching(kid) and not (self._one.locked() and self._is_usable(kid)):
            async with self._one:
                if self._wants_fetching(kid):  # else somebody else did, while this one waited
                    await self._fetch()
        if self._clock() - self._fetched > USABLE:
            raise KeysUnavailable(f"The portal's keys at {self._trust.jwks_url} cannot be fetched: {self._fault!r}")
        return self._keys.get(kid)

    def _wants_fetching(self, kid: str) -> bool:
        moment = self._clock()
        return (kid not in self._keys or moment - self._fetched > FRESH) and moment - self._tried > AGAIN

    def _is_usable(self, kid: str) -> bool:
        return kid in self._keys and self._clock() - self._fetched <= USABLE

    async def _fetch(self) -> None:
        verify: Any = True
        try:
            if self._trust.ca_file:
                verify = ssl.create_default_context(cafile=self._trust.ca_file)
            async with httpx.AsyncClient(timeout=TIMEOUT, verify=verify, trust_env=False) as client:
                answer = await client.get(self._trust.jwks_url)
            answer.raise_for_status()
            self._keys = _keys(answer.json())
        except (OSError, httpx.HTTPError, jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError) as error:
            self._fault, self._tried = error, self._clock()
            return
        self._fetched = self._tried = self._clock()


def _keys(published: Any) -> dict[str, "jwt.PyJWK"]:
    """Those of a key set that sign in a way that is accepted here; of others it may hold as many as it likes."""
    usable = [key for key in published["keys"] if key.get("alg") in ALGORITHMS and key.get("kid")]
    return {key["kid"]: jwt.PyJWK(key) for key in usable}


class PortalTokens:
    """Verifies tokens of one portal for one audience."""

    def __init__(self, trust: Trust, keys: PublishedKeys | None = None) -> None:
        self._trust = trust
        self._keys = keys or PublishedKeys(trust)

    async def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token. Raises `jwt.InvalidTokenError` (`jwt.ExpiredSignatureError` for one that is over)
        and `KeysUnavailable`."""
        if len(token) > MAX_TOKEN:
            raise jwt.InvalidTokenError("The token is too long")
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or not isinstance(kid, str):
            raise jwt.InvalidTokenError("The token names no key of the portal, or an algorithm that it does not use")
        key = await self._keys.named(kid)
        if key is None or key.algorithm_name != algorithm:
            raise jwt.InvalidTokenError("The token is signed with a key that the portal does not publish")
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=self._trust.audience,
            issuer=self._trust.issuer,
            leeway=self._trust.leeway,
            options={"require": list(CLAIMS)},
        )
        if claims["aud"] != self._trust.audience:  # the portal's tokens are for one alone
            raise jwt.InvalidAudienceError("The token is for others too")
        return claims
