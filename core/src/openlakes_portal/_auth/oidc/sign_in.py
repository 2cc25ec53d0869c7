"""Signing in: what is remembered between the redirect to the provider and its callback, for one use and ten minutes.

A callback counts only in the browser that began (a cookie of its own), only once, and only for the sign-in whose state
it names. Several tabs may sign in at once: each has its own row.
"""

import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from openlakes_portal._auth.grants import Grant
from openlakes_portal._auth.oidc.claims import PersonReader
from openlakes_portal._auth.oidc.client import OidcClient, Redirect
from openlakes_portal._auth.oidc.errors import SignInRefused
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.tokens import TokenVerifier, refused
from openlakes_portal._rbac.policy import Identity
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database
from openlakes_portal._store.hashes import secret_hash
from openlakes_portal._store.identity_tables import sign_ins as table
from openlakes_portal._store.keyring import Keyring, KeyringError

COOKIE = "__Host-openlakes_sign_in"
LASTS = timedelta(minutes=10)
PURPOSE = "sign-in"
NEXT = re.compile(
    r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?)?(?:\?[!$-\[\]-~]*)?(?:#[!$-\[\]-~]*)?"
)
TO_AN_APP = "/auth/app"
"""The one address of signing in that a sign-in may lead to: from there the way goes on to an app (the gateway's)."""
DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$|\?|#)")


@dataclass(frozen=True)
class SignedIn:
    """A person whom the provider vouches for, and where they wanted to go."""

    identity: Identity
    grant: Grant
    provider_session: str | None
    next: str


class SignIns:
    """Sign-ins that are under way."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        provider: Provider,
        client: OidcClient,
        verifier: TokenVerifier,
        reader: PersonReader,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._provider = provider
        self._client = client
        self._verifier = verifier
        self._reader = reader
        self._clock = clock

    async def begin(self, next_path: str, browser: str, *, silent: bool = False) -> str:
        """The provider's address to send this browser to. Raises `ProviderUnavailable` while it does not answer."""
        await self._provider.answers()
        redirect = Redirect(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        url = await self._client.authorization_url(redirect, silent=silent)
        state_hash = secret_hash(redirect.state)
        kept = json.dumps({"nonce": redirect.nonce, "verifier": redirect.verifier}).encode()
        values = {
            "state_hash": state_hash,
            "browser_hash": secret_hash(browser),
            "secrets": self._keyring.seal(PURPOSE, state_hash, kept),
            "next": safe_next(next_path),
            "created_at": self._clock(),
        }
        async with self._database.write() as connection:
            await connection.execute(delete(table).where(table.c.created_at < self._clock() - LASTS))
            await connection.execute(insert(table).values(values))
        return url

    async def finish(self, query: Mapping[str, str], browser: str | None) -> SignedIn:
        """The person of a callback. Raises `SignInRefused` for one that is not ours, `Unavailable` while the provider
        does not answer."""
        row = await self._claim(query.get("state"), browser)
        await self._check_issuer(query)
        if "error" in query:
            raise _declined(query["error"])
        code = query.get("code", "")
        if not 1 <= len(code) <= 4096:
            raise refused("the callback holds no code")
        try:
            kept: dict[str, str] = json.loads(self._keyring.open(PURPOSE, row.state_hash, row.secrets))
        except KeyringError:
            raise refused("it was begun with a key that is gone") from None
        grant = await self._client.redeem(code, kept["verifier"])
        claims = await self._verifier.id_token(
            grant.id_token or "", nonce=kept["nonce"], access_token=grant.access_token
        )
        grant = replace(grant, subject=claims["sub"])
        identity = await self._reader.read(claims, grant)
        sid = claims.get("sid")
        return SignedIn(identity, grant, sid if isinstance(sid, str) else None, row.next)

    async def _claim(self, state: str | None, browser: str | None) -> Any:
        """Take the row, so that nobody can use it again, whatever comes of it."""
        if not state or len(state) > 200:
            raise refused("the callback names no sign-in (state)")
        state_hash = secret_hash(state)
        async with self._database.write() as connection:
            row = (await connection.execute(select(table).where(table.c.state_hash == state_hash))).first()
            if row is not None and browser is not None and hmac.compare_digest(secret_hash(browser), row.browser_hash):
                gone = await connection.execute(delete(table).where(table.c.state_hash == state_hash))
                if gone.rowcount == 1 and self._clock() - row.created_at <= LASTS:
                    return row
        raise refused("it was begun in another browser, was used already, or took more than ten minutes")

    async def _check_issuer(self, query: Mapping[str, str]) -> None:
        """RFC 9207: an answer that names its issuer must name ours, and one that promises to must keep it."""
        stated = query.get("iss")
        metadata = await self._provider.metadata()
        if stated is not None and stated != metadata.issuer:
            raise refused("the callback comes from another provider (iss)")
        if stated is None and metadata.names_issuer:
            raise refused("the callback does not say which provider it comes from (iss)")


def _declined(error: str) -> SignInRefused:
    """The provider's own refusal. Its text is not shown: anybody can write one into a link."""
    known = {
        "access_denied": "The identity provider did not let you in.",
        "login_required": "You are not signed in at the identity provider any more.",
        "interaction_required": "The identity provider needs to ask you something.",
        "consent_required": "The identity provider needs your consent.",
        "invalid_scope": "The identity provider does not know a scope of auth.oidc.scopes.",
        "temporarily_unavailable": "The identity provider cannot sign anybody in at the moment.",
    }
    return SignInRefused(known.get(error, "The identity provider refused the sign-in."), remedy="Sign in again.")


def safe_next(target: str) -> str:
    """A path of this portal to go on to, `/` for whatever is not plainly one: no host, no backslash, no control
    character, no dot segment, no encoded beginning of a host."""
    if len(target) > 2000 or not NEXT.fullmatch(target) or DOTS.search(target):
        return "/"
    path = re.split(r"[?#]", target, maxsplit=1)[0].lower()
    if path.startswith(("/auth/", "/signin")) and path != TO_AN_APP:
        return "/"
    if re.search(r"%(?:2f|5c|2e|0|1|7f)", path):
        return "/"
    return target
