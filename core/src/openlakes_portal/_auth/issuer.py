"""The portal as a token issuer (RFC 7519): short tokens for one person and one audience, signed with Ed25519.

This is the first form: one key in the data directory. Rotation, ES256 and keys in the store come with the next issue
and stay behind `mint` and `jwks`.
"""

import os
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from openlakes_portal.spi import PortalToken, Principal, UpstreamCredential

KEY_FILE = "issuer-ed25519.pem"
BACKDATE = 5
"""`iat` and `nbf` lie this many seconds back: some verifiers allow no clock skew at all."""


class Issuer:
    """Mints tokens and publishes the key that verifies them."""

    def __init__(self, issuer: str, data_dir: Path) -> None:
        self._issuer = issuer
        self._path = data_dir / KEY_FILE
        self._key: Any = None
        self._minted: dict[tuple[str, str, str], tuple[float, UpstreamCredential]] = {}
        self.mints = 0

    def mint(self, principal: Principal, token: PortalToken) -> UpstreamCredential:
        """A bearer token for the audience; the same one again for 30 s."""
        cache_key = (principal.session_id or principal.identity, principal.identity, token.audience)
        held = self._minted.get(cache_key)
        moment = time.time()
        if held is not None and moment - held[0] < 30:
            return held[1]
        from joserfc import jwt

        expires = int(moment) + token.lifetime
        claims = {
            "iss": self._issuer,
            "sub": principal.username,
            "aud": token.audience,
            "iat": int(moment) - BACKDATE,
            "nbf": int(moment) - BACKDATE,
            "exp": expires,
        }
        key = self._load()
        with warnings.catch_warnings():
            # RFC 9864 renames it to Ed25519; what verifies our tokens today knows the old name only.
            warnings.simplefilter("ignore")
            value = jwt.encode({"alg": "EdDSA", "kid": key.kid, "typ": "JWT"}, claims, key, algorithms=["EdDSA"])
        credential = UpstreamCredential(
            kind="bearer",
            value=SecretStr(value),
            audience=token.audience,
            subject=principal.username,
            expires_at=datetime.fromtimestamp(expires, UTC),
        )
        self.mints += 1
        if len(self._minted) > 10_000:
            self._minted.clear()
        self._minted[cache_key] = (moment, credential)
        return credential

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517)."""
        public = self._load().as_dict(private=False)
        return {"keys": [{**public, "use": "sig", "alg": "EdDSA"}]}

    def _load(self) -> Any:
        if self._key is None:
            from joserfc.jwk import OKPKey

            if not self._path.exists():
                self._create(OKPKey.generate_key("Ed25519").as_pem(private=True))
            key = OKPKey.import_key(self._path.read_bytes())
            key.ensure_kid()
            self._key = key
        return self._key

    def _create(self, pem: bytes) -> None:
        """Write the key once, for its owner only; of two starters one wins and both use its key."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, self._path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
