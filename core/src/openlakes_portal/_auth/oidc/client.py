"""Calls to the provider for a sign-in: the code, its renewal, the person, the end. Nothing here is ever repeated: a
code that is used twice ends the first sign-in, and so does a refresh token."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import structlog

from openlakes_portal._auth.grants import Grant
from openlakes_portal._auth.oidc.errors import GrantOver, ProviderMisconfigured, ProviderUnavailable, TokenRefused
from openlakes_portal._auth.oidc.fetch import Answer
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.tokens import refused
from openlakes_portal._store.clock import now
from openlakes_portal.spi import PortalError

MAX_TOKEN = 64 * 1024
MAX_SCOPE = 8 * 1024
log = structlog.get_logger("oidc")


@dataclass(frozen=True)
class Redirect:
    """What a sign-in sends along: single use, unguessable, never the same for two sign-ins."""

    state: str
    nonce: str
    verifier: str


class OidcClient:
    """The portal as a registered client of one provider."""

    def __init__(self, provider: Provider, redirect_uri: str, clock: Callable[[], datetime] = now) -> None:
        self._provider = provider
        self._settings = provider.settings
        self._redirect_uri = redirect_uri
        self._clock = clock

    async def authorization_url(self, redirect: Redirect, *, silent: bool = False) -> str:
        """Where the browser goes to sign in; `silent` asks for an answer without a page (`prompt=none`)."""
        metadata = await self._provider.metadata()
        digest = hashlib.sha256(redirect.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fields = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": redirect.state,
            "nonce": redirect.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if self._settings.acr_values:
            fields["acr_values"] = " ".join(self._settings.acr_values)
        if self._settings.max_age is not None:
            fields["max_age"] = str(self._settings.max_age)
        if silent:
            fields["prompt"] = "none"
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(fields)}"

    async def redeem(self, code: str, verifier: str) -> Grant:
        """The tokens of a code, asked for once (RFC 6749, 4.1.3; RFC 7636)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        answer = await self._token_call(form)
        if answer.status != 200:
            raise refused(f"the provider does not take the code ({error_of(answer)})")
        grant = self._grant(answer.data, None)
        if grant.id_token is None:
            raise refused("the provider gave no ID token; `openid` must be among the scopes")
        return grant

    async def renew(self, grant: Grant) -> Grant:
        """New tokens for the old ones. Raises `GrantOver` where the sign-in is over, `LostAnswer` if nobody knows."""
        if grant.refresh_token is None:
            raise GrantOver("The provider gave nothing to renew this sign-in with.")
        answer = await self._token_call({"grant_type": "refresh_token", "refresh_token": grant.refresh_token})
        if answer.status != 200:
            # Why does not matter (disabled, logged out, used twice): providers do not say it reliably.
            raise GrantOver("The identity provider ended this sign-in.", remedy="Sign in again.")
        return self._grant(answer.data, grant)

    async def _token_call(self, form: dict[str, str]) -> Answer:
        """One call to the token endpoint; what says nothing about the person is raised here."""
        endpoint = (await self._provider.metadata()).token_endpoint
        answer = await self.post(endpoint, form)
        error = error_of(answer)
        if answer.status == 401 or error in ("invalid_client", "unauthorized_client"):
            raise ProviderMisconfigured(
                f"The identity provider does not accept the portal as its client ({error}).",
                remedy="An admin corrects auth.oidc.client_id and client_secret, or enables the client there.",
            )
        if error == "access_denied" and answer.status == 403:
            raise ProviderMisconfigured("The identity provider has switched off this realm or client (access_denied).")
        if answer.status != 200 and answer.status != 400:
            raise ProviderUnavailable(f"The identity provider's token endpoint answers {answer.status}.")
        return answer

    async def post(self, url: str, form: dict[str, str]) -> Answer:
        """POST a form as the registered client (OpenID Connect Core, section 9)."""
        settings = self._settings
        secret = settings.client_secret.get_secret_value() if settings.client_secret else None
        if secret is not None and settings.client_auth == "client_secret_basic":
            # Client id and secret are form-encoded before they are joined (RFC 6749, 2.3.1).
            auth = httpx.BasicAuth(quote_plus(settings.client_id), quote_plus(secret))
            return await self._provider.fetch.post_form(url, form, auth)
        fields = {**form, "client_id": settings.client_id}
        if secret is not None:
            fields["client_secret"] = secret
        return await self._provider.fetch.post_form(url, fields)

    def _grant(self, data: dict[str, Any], before: Grant | None) -> Grant:
        token, kind = data.get("access_token"), data.get("token_type")
        if not _is_token(token) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise refused("the provider's answer holds no bearer token")
        lifetime = data.get("expires_in", 60)
        if not isinstance(lifetime, int) or isinstance(lifetime, bool) or lifetime < 0:
            raise refused("the provider states no lifetime of its token")
        refresh, id_token, scope = data.get("refresh_token"), data.get("id_token"), data.get("scope")
        asked = before.scope if before else " ".join(self._settings.scopes)
        return Grant(
            str(token),
            self._clock() + timedelta(seconds=min(lifetime, 86_400)),
            refresh if _is_token(refresh) else (before.refresh_token if before else None),
            id_token if _is_token(id_token) else (before.id_token if before else None),
            before.subject if before else "",
            scope if isinstance(scope, str) and len(scope) <= MAX_SCOPE else asked,  # RFC 6749, 5.1: left out, as asked
        )

    async def userinfo(self, grant: Grant) -> dict[str, Any] | None:
        """What the provider says of the person now, None where it has no such endpoint. Raises `TokenRefused` where
        it does not take the access token (any more), `GrantOver` where it answers for another person."""
        endpoint = (await self._provider.metadata()).userinfo_endpoint
        if endpoint is None:
            return None
        answer = await self._provider.fetch.get(endpoint, bearer=grant.access_token)
        if answer.status == 401:
            raise TokenRefused("The identity provider ended this sign-in.", remedy="Sign in again.")
        if answer.status == 403:
            return None
        if answer.status != 200:
            raise ProviderUnavailable(f"The identity provider's userinfo endpoint answers {answer.status}.")
        if answer.data.get("sub") != grant.subject:
            raise GrantOver("The identity provider answered for another person.", remedy="Sign in again.")
        return answer.data

    async def end(self, grant: Grant) -> None:
        """End the sign-in at the provider, from server to server: no token goes through the browser. What fails here is
        no reason to stay signed in, so it is only logged."""
        metadata = await self._provider.metadata()
        calls = []
        if metadata.end_session_endpoint and grant.id_token:
            calls.append((metadata.end_session_endpoint, {"id_token_hint": grant.id_token}))
        if metadata.revocation_endpoint and grant.refresh_token:
            hint = {"token": grant.refresh_token, "token_type_hint": "refresh_token"}
            calls.append((metadata.revocation_endpoint, hint))
        for url, form in calls:
            try:
                await self.post(url, form)
            except PortalError as error:
                log.info("the sign-in could not be ended at the provider", reason=error.detail)

    async def after_logout(self, home: str) -> str | None:
        """Where the browser goes to end its session with the provider (RP-Initiated Logout 1.0), without a token."""
        metadata = await self._provider.metadata()
        if metadata.end_session_endpoint is None:
            return None
        fields = {"client_id": self._settings.client_id, "post_logout_redirect_uri": home}
        return f"{metadata.end_session_endpoint}?{urlencode(fields)}"


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_TOKEN


def error_of(answer: Answer) -> str:
    """The code of an OAuth error (RFC 6749, 5.2), or the status where it states none that can be shown."""
    value = answer.data.get("error")
    known = isinstance(value, str) and value.isascii() and value.replace("_", "").isalnum() and len(value) <= 60
    return str(value) if known else f"status {answer.status}"
