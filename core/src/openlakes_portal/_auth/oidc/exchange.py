"""A person's own access token exchanged for one of another audience at the identity provider (RFC 8693).

Always with one `audience`: without it providers give every audience of the person. What comes is looked into, because
providers answer requests for something with something else, and with success. A token that was exchanged is left to
expire: to revoke it ends the whole sign-in at some providers.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import SecretStr

from openlakes_portal._auth.oidc.client import MAX_TOKEN, OidcClient
from openlakes_portal._auth.oidc.errors import ProviderUnavailable
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
IMPLIED = frozenset({"openid"})
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
        value, expires = self._checked(wanted, answer)
        if value.count(".") == 2:
            expires = min(expires, await self._looked_into(wanted, audience, value, grant.subject))
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

    def _refused(self, wanted: ProviderToken, audience: str, answer: Answer) -> Exception:
        """The provider's refusal in words. Its own text is read for known sentences and never passed on."""
        error = str(answer.data.get("error", ""))
        said = str(answer.data.get("error_description", "")).lower()
        if answer.status >= 500:
            return ProviderUnavailable(f"The identity provider's token endpoint answers {answer.status}.")
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
            f"the identity provider refuses the exchange ({error[:40] if error.isascii() else 'an error'})",
            "See its log for the reason.",
        )

    def _checked(self, wanted: ProviderToken, answer: Answer) -> tuple[str, datetime]:
        """The token and its end, if the answer is what was asked for."""
        data = answer.data
        value, kind = data.get("access_token"), data.get("token_type")
        lifetime = data.get("expires_in")
        if data.get("issued_token_type") != ACCESS_TOKEN:
            raise _unfit(wanted, "is no access token (issued_token_type)")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise _unfit(wanted, "is no bearer token (token_type)")
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_TOKEN or not value.isascii():
            raise _unfit(wanted, "holds no token")
        if not isinstance(lifetime, int) or isinstance(lifetime, bool) or lifetime <= 0:
            raise _unfit(wanted, "states no lifetime (expires_in)")
        scope = data.get("scope", "")
        if not isinstance(scope, str):
            raise _unfit(wanted, "states its scope in a way that cannot be read")
        self._check_scope(wanted, scope)
        return value, self._clock() + timedelta(seconds=min(lifetime, 86_400))

    def _check_scope(self, wanted: ProviderToken, scope: str) -> None:
        """No wider than asked for; where nothing was asked for, no wider than the sign-in itself."""
        allowed = set(wanted.scopes) | IMPLIED if wanted.scopes else set(self._settings.scopes)
        wider = set(scope.split()) - allowed
        if wider:
            raise _unfit(wanted, f"has a wider scope than asked for ({' '.join(sorted(wider))[:80]})")

    async def _looked_into(self, wanted: ProviderToken, audience: str, value: str, subject: str) -> datetime:
        """The end of a JWT that is for this audience alone and of this person."""
        try:
            _, claims = await signed_claims(value, "exchanged token", self._settings.algorithms, self._provider.keys)
        except NotBelieved as error:
            raise _unfit(wanted, f"is not believed: {error}") from None
        if claims.get("iss") != self._settings.issuer:
            raise _unfit(wanted, "is of another issuer")
        stated: Any = claims.get("aud")
        if stated != audience and stated != [audience]:
            raise _unfit(wanted, "is for another audience, or for more than one")
        if claims.get("sub") != subject:
            raise _unfit(wanted, "is another person's")
        if isinstance(claims.get("scope"), str):
            self._check_scope(wanted, claims["scope"])
        fault = time_fault(claims, self._clock().timestamp(), self._settings.clock_skew)
        if fault is not None:
            raise _unfit(wanted, f"is not good now: {fault}")
        return datetime.fromtimestamp(claims["exp"], self._clock().tzinfo)


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
