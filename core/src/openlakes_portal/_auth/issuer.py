"""The portal as a token issuer (RFC 7519): short tokens for one person and one audience, signed with Ed25519 or, for
verifiers that do not know it, with ES256 (RFC 7518, 3.4).

This is the first form: one key for each algorithm in the data directory. Rotation and keys in the store come with the
next issue and stay behind `mint` and `jwks`.
"""

import os
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from openlakes_portal.spi import PortalToken, Principal, UpstreamCredential

KEY_FILES = {"EdDSA": "issuer-ed25519.pem", "ES256": "issuer-es256.pem"}
"""By algorithm."""

CURVES = {"EdDSA": "Ed25519", "ES256": "P-256"}
BACKDATE = 5
"""`iat` and `nbf` lie this many seconds back: some verifiers allow no clock skew at all."""


class Issuer:
    """Mints tokens and publishes the key that verifies them."""

    def __init__(self, issuer: str, data_dir: Path) -> None:
        self._issuer = issuer
        self._data_dir = data_dir
        self._keys: dict[str, Any] = {}
        self._minted: dict[tuple[str, str, PortalToken], tuple[float, UpstreamCredential]] = {}
        self.mints = 0

    def mint(self, principal: Principal, token: PortalToken) -> UpstreamCredential:
        """A bearer token for the audience; the same one again for 30 s, or as long as half of it lasts."""
        cache_key = (principal.session_id or principal.identity, principal.identity, token)
        held = self._minted.get(cache_key)
        moment = time.time()
        if held is not None and moment - held[0] < min(30.0, token.lifetime / 2):
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
        key = self._key(token.algorithm)
        header = {"alg": token.algorithm, "kid": key.kid, "typ": "JWT"}
        with warnings.catch_warnings():
            # RFC 9864 renames it to Ed25519; what verifies our tokens today knows the old name only.
            warnings.simplefilter("ignore")
            value = jwt.encode(header, claims, key, algorithms=[token.algorithm])
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
        keys = [(algorithm, self._key(algorithm).as_dict(private=False)) for algorithm in KEY_FILES]
        return {"keys": [{**public, "use": "sig", "alg": algorithm} for algorithm, public in keys]}

    def _key(self, algorithm: str) -> Any:
        if algorithm not in self._keys:
            from joserfc.jwk import ECKey, OKPKey

            path = self._data_dir / KEY_FILES[algorithm]
            kind: Any = OKPKey if algorithm == "EdDSA" else ECKey
            if not path.exists():
                _create(path, kind.generate_key(CURVES[algorithm]).as_pem(private=True))
            key = kind.import_key(path.read_bytes())
            key.ensure_kid()
            self._keys[algorithm] = key
        return self._keys[algorithm]


def _create(path: Path, pem: bytes) -> None:
    """Write the key once, for its owner only; of two starters one wins and both use its key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
