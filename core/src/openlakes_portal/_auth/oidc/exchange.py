"""A person's own access token exchanged for one of another audience at the identity provider (RFC 8693).

Always with one `audience`: without it providers give every audience of the person. What comes is looked into, because
providers answer requests for something with something else, and with success. A token that was exchanged is left to
expire: to revoke it ends the whole sign-in at some providers.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import SecretStr

from openlakes_portal._audit.record import clean
from openlakes_portal._auth.oidc.client import MAX_TOKEN, OidcClient, error_of
from openlakes_portal._auth.oidc.fetch import Answer
from openlakes_portal._auth.oidc.jws import NotBelieved, signed_claims, time_fault
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.renewal import Renewals
from openlakes_portal._auth.sessions import Session, Sessions
from openlakes_portal._store.clock import now
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import PortalError, Principal, ProviderToken, UpstreamAuthFailed, UpstreamCredential

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name
USABLE = timedelta(seconds=10)
"""How long the access token that is shown must be good at least."""
SCOPES = "Correct ProviderToken.scopes."
TYPES = ("jwt", "at+jwt", "application/at+jwt")
"""Of an access token's header (RFC 9068; Keycloak says JWT)."""
LONGEST = 600
"""Seconds that an exchanged token may last."""
VISIBLE = re.compile(r"[\x21-\x7e]+")
log = structlog.get_logger("oidc")


class ProviderExchange:
    """Exchanges tokens of sessions."""

    def __init__(
        self,
        provider: Provider,
        client: OidcClient,
        sessions: Sessions,
        renewals: Renewals,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._provider = provider
        self._client = client
        self._sessions = sessions
        self._renewals = renewals
        self._clock = clock
        self._settings = provider.settings

    async def exchange(self, principal: Principal, wanted: ProviderToken) -> UpstreamCredential:
        """A token of this person for the audience. Raises `UpstreamAuthFailed`, with what to do."""
        if (wanted.requested or wanted.audience) == self._settings.client_id:
            raise _failed(
                wanted,
                "a token for it would be one for the portal itself, which goes to nobody",
                "Name the system by a client of its own at the identity provider.",
            )
        session = await self._session(principal, wanted)
        grant = await self._renewals.fresh(session, USABLE)
        if grant is None:
            raise _failed(
                wanted, "the sign-in holds no token of the identity provider that is still good", "Sign in again."
            )
        audience = wanted.requested or wanted.audience
        form = {
            "grant_type": GRANT,
            "subject_token": grant.access_token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            "audience": audience,
        }
        if wanted.scopes:
            # Keycloak takes an exchange without openid for the end of the sign-in's ID tokens.
            form["scope"] = " ".join(["openid", *(s for s in wanted.scopes if s != "openid")])
        try:
            endpoint = (await self._provider.metadata()).token_endpoint
            answer = await self._client.post(endpoint, form)
        except PortalError as error:
            raise _failed(wanted, error.detail, "Try again once the identity provider answers.") from error
        if answer.status != 200:
            raise self._refused(wanted, audience, answer)
        # What was asked for, and what the sign-in itself is good for: Keycloak adds the client's default scopes.
        allowed = {*wanted.scopes, *(grant.scope.split() or self._settings.scopes), "openid"}
        value, expires = self._checked(wanted, answer, allowed)
        if value.count(".") == 2:
            expires = min(expires, await self._looked_into(wanted, audience, value, grant.subject, allowed))
        elif not wanted.opaque:
            raise _failed(
                wanted,
                "the token cannot be looked into, so nobody knows for whom it is",
                "Have the provider issue JWTs, or declare ProviderToken(opaque=True) and trust its word.",
            )
        return UpstreamCredential(
            kind="bearer",
            value=SecretStr(value),
            audience=wanted.audience,
            subject=principal.username,
            expires_at=expires,
            acts_as="user",
        )

    async def _session(self, principal: Principal, wanted: ProviderToken) -> Session:
        found = await self._sessions.list(table.c.public_id == (principal.session_id or ""), limit=1)
        if not found or (found[0].identity.issuer, found[0].identity.subject) != (principal.issuer, principal.subject):
            raise _failed(
                wanted,
                "whoever asks has no sign-in at the identity provider (an API token or a service account has none)",
                "Do it signed in, in person.",
            )
        return found[0]

    def _refused(self, wanted: ProviderToken, audience: str, answer: Answer) -> UpstreamAuthFailed:
        """The provider's refusal in words. Its own text is read for known sentences and never passed on."""
        error = error_of(answer)
        said = str(answer.data.get("error_description", "")).lower()
        if answer.status >= 500:
            return _failed(
                wanted,
                f"the identity provider's token endpoint answers {answer.status}",
                "Try again in a minute; see the identity provider's own log.",
            )
        if "not enabled" in said or error in ("unsupported_grant_type", "unauthorized_client"):
            return _failed(
                wanted,
                "the identity provider does not exchange tokens for the portal",
                f"An admin allows token exchange for the client {self._settings.client_id} there (Keycloak: the "
                "client's capability `Standard token exchange`).",
            )
        if error == "invalid_client" and answer.status != 401:
            return _failed(
                wanted,
                f"the identity provider has no enabled client {audience!r}",
                "Correct the audience, or have the client registered and enabled there.",
            )
        if error in ("invalid_target", "access_denied") or "audience" in said:
            return _failed(
                wanted,
                f"the identity provider does not let this person have a token for {audience!r}",
                f"An admin gives the person a role of the client {audience!r} there.",
            )
        if error == "invalid_scope":
            return _failed(wanted, "the identity provider does not know a scope that was asked for", SCOPES)
        if error in ("invalid_request", "invalid_grant"):
            return _failed(wanted, "the identity provider does not take the sign-in's token any more", "Sign in again.")
        return _failed(
            wanted,
            f"the identity provider refuses the exchange ({error})",
            "See its log for the reason.",
        )

    def _checked(self, wanted: ProviderToken, answer: Answer, allowed: set[str]) -> tuple[str, datetime]:
        """The token and its end, if the answer is what was asked for."""
        data = answer.data
        value, kind = data.get("access_token"), data.get("token_type")
        lifetime = data.get("expires_in")
        if data.get("issued_token_type") != ACCESS_TOKEN:
            raise _unfit(wanted, "is no access token (issued_token_type)")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise _unfit(wanted, "is no bearer token (token_type)")
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_TOKEN or not VISIBLE.fullmatch(value):
            raise _unfit(wanted, "holds no token")
        if not isinstance(lifetime, int) or isinstance(lifetime, bool) or lifetime <= 0:
            raise _unfit(wanted, "states no lifetime (expires_in)")
        if not isinstance(data.get("scope", ""), str):
            raise _unfit(wanted, "states its scope in a way that cannot be read")
        _check_scope(wanted, data.get("scope"), allowed)
        _check_lifetime(wanted, lifetime)
        return value, self._clock() + timedelta(seconds=lifetime)

    async def _looked_into(
        self, wanted: ProviderToken, audience: str, value: str, subject: str, allowed: set[str]
    ) -> datetime:
        """The end of a JWT that is for this audience alone and of this person."""
        try:
            header, claims = await signed_claims(
                value, "exchanged token", self._settings.algorithms, self._provider.keys
            )
        except NotBelieved as error:
            raise _unfit(wanted, f"is not believed: {error}") from None
        if str(header.get("typ", "JWT")).lower() not in TYPES:
            raise _unfit(wanted, "is a token of another type (typ)")
        if claims.get("iss") != self._settings.issuer:
            raise _unfit(wanted, "is of another issuer")
        stated: Any = claims.get("aud")
        if stated != audience and stated != [audience]:
            raise _unfit(wanted, "is for another audience, or for more than one")
        if not subject or claims.get("sub") != subject:
            raise _unfit(wanted, "is another person's")
        for name in ("scope", "scp"):
            _check_scope(wanted, claims.get(name), allowed)
        moment = self._clock().timestamp()
        fault = time_fault(claims, moment, self._settings.clock_skew)
        if fault is not None:
            raise _unfit(wanted, f"is not good now: {fault}")
        _check_lifetime(wanted, claims["exp"] - moment - self._settings.clock_skew)
        return datetime.fromtimestamp(claims["exp"], self._clock().tzinfo)


def _check_scope(wanted: ProviderToken, scope: object, allowed: set[str]) -> None:
    """No wider than what was asked for and what the sign-in itself is good for."""
    stated = scope.split() if isinstance(scope, str) else [] if scope is None else scope
    if not isinstance(stated, list) or not all(isinstance(each, str) for each in stated):
        raise _unfit(wanted, "states its scope in a way that cannot be read")
    if wider := set(stated) - allowed:
        raise _unfit(wanted, f"has a wider scope than asked for ({clean(' '.join(sorted(wider)), 80)})")


def _check_lifetime(wanted: ProviderToken, seconds: float) -> None:
    """A token that lasts longer is not used for a while and kept by somebody else for longer: it is not used."""
    if seconds > LONGEST:
        raise _failed(
            wanted,
            f"what the identity provider gave has a lifetime of {seconds:.0f} s, and {LONGEST} s is the most",
            "Shorten the lifetime of access tokens of the portal's client there.",
        )


def _failed(wanted: ProviderToken, why: str, remedy: str) -> UpstreamAuthFailed:
    return UpstreamAuthFailed(
        f"{wanted.audience} cannot be called for this person: {why}.", upstream=wanted.audience, remedy=remedy
    )


def _unfit(wanted: ProviderToken, what: str) -> UpstreamAuthFailed:
    return _failed(
        wanted,
        f"what the identity provider gave {what}",
        "Compare its settings of the portal's client with docs/operators/token-issuer.md.",
    )
