"""Verifying what the provider signs: ID tokens (OpenID Connect Core, 3.1.3.7) and logout tokens (Back-Channel Logout
1.0, 2.6). The signature is checked with the provider's own keys only, whatever a token's header offers."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from openlakes_portal._auth.oidc.errors import ClockFault, SignInRefused
from openlakes_portal._auth.oidc.jws import NotBelieved, is_number, signed_claims, time_fault
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._store.clock import timestamp

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class TokenVerifier:
    """Verifies tokens of one provider for one client."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = timestamp) -> None:
        self._provider = provider
        self._settings = provider.settings
        self._clock = clock

    async def id_token(self, token: str, *, nonce: str | None, access_token: str | None = None) -> dict[str, Any]:
        """The claims of an ID token. `nonce` is what the sign-in sent, None for a renewed token, which carries none.
        Raises `SignInRefused` with the reason."""
        header, claims = await self._verified(token, "ID token")
        if header.get("typ") not in (None, "JWT"):
            raise refused(f"the ID token is of another type ({str(header['typ'])[:40]})")
        self._check_parties(claims)
        self._check_times(claims)
        if nonce is not None and not _equal(claims.get("nonce"), nonce):
            raise refused("the nonce is missing or another sign-in's")
        self._check_strength(claims)
        if access_token is not None and "at_hash" in claims:
            check_at_hash(claims["at_hash"], access_token, header["alg"])
        return claims

    async def logout_token(self, token: str) -> dict[str, Any]:
        """The claims of a logout token. Raises `SignInRefused` with the reason."""
        header, claims = await self._verified(token, "logout token")
        if header.get("typ") != "logout+jwt":
            raise refused("the logout token is not of the type logout+jwt")
        self._check_parties(claims, subject=False)
        self._check_times(claims)
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise refused("the logout token states no logout")
        if "nonce" in claims:
            raise refused("the logout token has a nonce: it is an ID token in disguise")
        if not isinstance(claims.get("jti"), str) or not 1 <= len(claims["jti"]) <= 255:
            raise refused("the logout token has no jti")
        named = [claims.get("sub"), claims.get("sid")]
        if not any(isinstance(n, str) and n for n in named) or any(
            n is not None and not isinstance(n, str) for n in named
        ):
            raise refused("the logout token names neither a person nor a session")
        return claims

    async def _verified(self, token: str, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            return await signed_claims(token, what, self._settings.algorithms, self._provider.keys)
        except NotBelieved as error:
            raise refused(str(error)) from None

    def _check_parties(self, claims: dict[str, Any], *, subject: bool = True) -> None:
        if claims.get("iss") != self._settings.issuer:
            raise refused("it was issued by another provider")
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        client = self._settings.client_id
        if not isinstance(audiences, list) or client not in audiences or not all(isinstance(a, str) for a in audiences):
            raise refused("it was issued for another client")
        party = claims.get("azp")
        if party is not None and party != client:
            raise refused("it was issued to another client (azp)")
        if len(audiences) > 1 and party is None:
            raise refused("it is for several clients and does not say to which it was issued (azp)")
        if subject and (not isinstance(claims.get("sub"), str) or not 1 <= len(claims["sub"]) <= 255):
            raise refused("it names nobody (sub)")

    def _check_times(self, claims: dict[str, Any]) -> None:
        moment, skew = self._clock(), self._settings.clock_skew
        fault = time_fault(claims, moment, skew)
        if fault is not None:
            raise refused(fault, ClockFault)
        if claims["iat"] < moment - 3600 - skew:
            raise refused("it was issued over an hour ago: compare the clocks of provider and portal", ClockFault)

    def _check_strength(self, claims: dict[str, Any]) -> None:
        """Providers answer a request for more with less, and with success: what was asked for is checked here."""
        if self._settings.acr_values and claims.get("acr") not in self._settings.acr_values:
            raise refused(
                f"its assurance is {str(claims.get('acr'))[:40]!r}, and {self._settings.acr_values} is asked for"
            )
        if self._settings.max_age is not None:
            at = claims.get("auth_time", 0)
            if not is_number(at) or self._clock() - at > self._settings.max_age + self._settings.clock_skew:
                raise refused("the person proved who they are too long ago (auth_time)")


def refused(reason: str, kind: type[SignInRefused] = SignInRefused) -> SignInRefused:
    """A refusal in words."""
    return kind(f"The sign-in is not valid: {reason}.", remedy="Sign in again; if it stays so, tell an admin.")


def check_at_hash(stated: object, access_token: str, algorithm: str) -> None:
    """`at_hash` binds the access token to the ID token (OpenID Connect Core, 3.1.3.6)."""
    bits = "512" if algorithm == "EdDSA" else algorithm[-3:]
    digest = hashlib.new(f"sha{bits}", access_token.encode()).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not _equal(stated, expected):
        raise refused("the access token beside it is another's (at_hash)")


def _equal(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())
