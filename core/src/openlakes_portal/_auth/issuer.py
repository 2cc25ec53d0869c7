"""The portal as a token issuer (RFC 7519): short tokens for one person and one audience, signed with Ed25519 or, for
verifiers that do not know it, with ES256 or RS256 (RFC 7518)."""

import time
import warnings
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from openlakes_portal._auth.signing_keys import SigningKeys
from openlakes_portal.spi import PortalToken, Principal, UpstreamCredential

BACKDATE = 5
"""`iat` and `nbf` lie this many seconds back: some verifiers allow no clock skew at all."""
AGAIN = 30.0
MAX_SESSIONS = 10_000

Said = tuple[tuple[str, str | tuple[str, ...]], ...]
Minted = tuple[str, PortalToken, Said]
"""For whom, which token, and what it says of them."""


class Issuer:
    """Mints tokens and publishes the keys that verify them. `mint` and `jwks` run in the portal's own loop."""

    def __init__(self, issuer: str, keys: SigningKeys) -> None:
        self._issuer = issuer
        self.keys = keys
        self._minted: dict[str, dict[Minted, tuple[float, str, UpstreamCredential]]] = {}
        self.mints = 0

    def held(self, principal: Principal, token: PortalToken) -> UpstreamCredential | None:
        """The token minted for this session and audience within 30 s, or as long as half of it lasts; None once the key
        that signed it may have been dropped, or what it says of the person holds no more."""
        said = said_of(principal, token)
        found = self._minted.get(principal.session_id or principal.identity, {}).get((principal.identity, token, said))
        if found is None or time.monotonic() - found[0] >= min(AGAIN, token.lifetime / 2):
            return None
        return found[2] if self.keys.fresh and self.keys.has(found[1]) else None

    async def mint(self, principal: Principal, token: PortalToken) -> UpstreamCredential:
        """A bearer token for the audience. Raises `Unavailable` without a key for its algorithm."""
        again = self.held(principal, token)
        if again is not None:
            return again
        if not self.keys.fresh:
            await self.keys.load()
            again = self.held(principal, token)  # somebody else did meanwhile
            if again is not None:
                return again
        return self._sign(principal, token)

    async def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517)."""
        if not self.keys.fresh:
            await self.keys.load()
        return {"keys": self.keys.published()}

    def forget(self, session_id: str) -> None:
        """A session ended: nothing of it is handed out again."""
        self._minted.pop(session_id, None)

    def _sign(self, principal: Principal, token: PortalToken) -> UpstreamCredential:
        from joserfc import jwt

        moment = time.time()
        expires = int(moment) + token.lifetime
        said = said_of(principal, token)
        claims: dict[str, Any] = {
            **{name: list(value) if name == "roles" else value for name, value in said},
            "iss": self._issuer,
            "sub": principal.username,
            "aud": token.audience,
            "iat": int(moment) - BACKDATE,
            "nbf": int(moment) - BACKDATE,
            "exp": expires,
        }
        key = self.keys.signer(token.algorithm)
        header = {"alg": token.algorithm, "kid": key.kid, "typ": "JWT"}
        with warnings.catch_warnings():
            # RFC 9864 renames it to Ed25519; what verifies our tokens today knows the old name only.
            warnings.simplefilter("ignore")
            value = jwt.encode(header, claims, key.key, algorithms=[token.algorithm])
        credential = UpstreamCredential(
            kind="bearer",
            value=SecretStr(value),
            audience=token.audience,
            subject=principal.username,
            expires_at=datetime.fromtimestamp(expires, UTC),
        )
        self.mints += 1
        if len(self._minted) > MAX_SESSIONS:
            self._minted.clear()
        session = self._minted.setdefault(principal.session_id or principal.identity, {})
        session[(principal.identity, token, said)] = (
            time.monotonic(),
            key.kid,
            credential,
        )  # wall clocks may be set back
        return credential


def said_of(principal: Principal, token: PortalToken) -> Said:
    """What the token says of the person besides who it is: the claims that it names, and that are known."""
    known: dict[str, str | tuple[str, ...] | None] = {
        "roles": tuple(sorted(principal.roles)),
        "name": principal.name,
        "email": principal.email,
    }
    return tuple((name, value) for name in token.claims if (value := known[name]) is not None)
