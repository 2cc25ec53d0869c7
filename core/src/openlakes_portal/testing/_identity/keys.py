"""Keys of the fake provider, and tokens that are signed in every wrong way."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from openlakes_portal.testing._identity.wire import CURVES, Signer, base64_text, encoded

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@dataclass(frozen=True)
class SigningKey:
    """A key pair, and the algorithm (RFC 7518, 3.1) it signs with."""

    algorithm: str
    kid: str
    key: RSAKey | ECKey | OKPKey

    @classmethod
    def generate(cls, algorithm: Algorithm = "RS256", kid: str | None = None) -> Self:
        """A new key for an algorithm."""
        key: RSAKey | ECKey | OKPKey
        if algorithm in CURVES:
            key = ECKey.generate_key(CURVES[algorithm])
        elif algorithm == "EdDSA":
            key = OKPKey.generate_key("Ed25519")
        else:
            key = RSAKey.generate_key(2048)
        return cls(algorithm, kid or secrets.token_hex(8), key)

    def public(self) -> dict[str, Any]:
        """As it stands in a JWKS (RFC 7517)."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A compact JWS, always with this key's own algorithm, whatever the header claims."""
        signed = f"{encoded(header)}.{encoded(claims)}"
        signature = JWSRegistry.algorithms[self.algorithm].sign(signed.encode(), self.key)
        return f"{signed}.{base64_text(signature)}"


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A `signer` that signs nothing: `alg` none (RFC 7518, 3.6)."""
    return f"{encoded({**header, 'alg': 'none'})}.{encoded(claims)}."


def signed_with_secret(secret: bytes) -> Signer:
    """A `signer` with HS256: with the client's secret, or with a published key as if it were one (confusion)."""

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{encoded({**header, 'alg': 'HS256'})}.{encoded(claims)}"
        return f"{signed}.{base64_text(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return sign


def strange_keys(kid: str) -> list[dict[str, Any]]:
    """For `extra_keys`: what a JWKS may hold beside the key in use, all under the same `kid`. Unknown kinds, curves and
    algorithms, a symmetric key, one for encryption, one that is too short, broken ones, and another good one."""
    other = SigningKey.generate("RS256").key.as_dict(private=False)
    curve = SigningKey.generate("ES256").key.as_dict(private=False)
    short = base64_text(b"\xc1" + secrets.token_bytes(126) + b"\x01")
    return [
        {"kty": "AKP", "alg": "ML-DSA-65", "kid": kid, "pub": "AAAA"},
        {"kty": "LWE", "kid": kid},
        {**curve, "crv": "P-999", "kid": kid},
        {**other, "alg": "XX999", "kid": kid},
        {"kty": "oct", "k": base64_text(b"published-secret-published-secret"), "kid": kid, "alg": "HS256"},
        {**other, "use": "enc", "kid": kid, "alg": "RSA-OAEP"},
        {"kty": "RSA", "n": short, "e": "AQAB", "kid": kid, "use": "sig", "alg": "RS256"},
        {"kty": "RSA", "n": "", "e": "AQAB", "kid": kid},
        {"kty": "RSA", "kid": kid},
        {"kty": 5, "kid": kid},
        {**other, "use": "sig", "alg": "RS256", "kid": kid},
    ]
