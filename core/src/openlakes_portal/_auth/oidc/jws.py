"""Signed tokens (RFC 7515, RFC 7519) of others: read, verified with their signer's own keys whatever the header offers,
and looked at by the clock. What is wrong is said in words, and by `NotBelieved`."""

import base64
import json
import warnings
from collections.abc import Awaitable, Callable, Collection
from typing import Any

MAX_TOKEN = 64 * 1024
"""Bytes; 201 groups with their paths make 12 kB."""
KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
CURVES = {"ES256": "P-256", "ES384": "P-384", "EdDSA": "Ed25519"}
MOST_TRIED = 10
FindKeys = Callable[[str | None], Awaitable[tuple[Any, ...]]]


class NotBelieved(Exception):
    """A token that is not believed, and why."""


async def signed_claims(
    token: str, what: str, algorithms: Collection[str], keys: FindKeys
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, called `what` in messages, that one of these keys has signed. Raises `NotBelieved`,
    and what `keys` raises."""
    from joserfc import jwt
    from joserfc.errors import JoseError

    header = read_header(token, what)
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in algorithms:
        raise NotBelieved(f"the {what} is signed with {str(algorithm)[:20]!r}, which is not believed here")
    if kid is not None and not isinstance(kid, str):
        raise NotBelieved(f"the {what} names its key by something that is no text")
    candidates = [k for k in await keys(kid) if _fits(k, str(algorithm))]
    for key in candidates[:MOST_TRIED]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # RFC 9864 renames EdDSA; providers have not
                found = jwt.decode(token, key, algorithms=[str(algorithm)])
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        if isinstance(found.claims, dict):
            return header, found.claims
    raise NotBelieved(
        f"the {what} is signed by no key of the provider" if candidates else f"the key of the {what} is unknown"
    )


def read_header(token: str, what: str) -> dict[str, Any]:
    """The header of a token, as it was sent. Raises `NotBelieved`."""
    if len(token) > MAX_TOKEN or token.count(".") != 2:
        raise NotBelieved(f"the {what} is no signed token of at most {MAX_TOKEN} bytes")
    header = _part(token, 0)
    if header is None or "crit" in header:
        raise NotBelieved(f"the header of the {what} cannot be read")
    return header


def unverified_claims(token: str, what: str) -> dict[str, Any]:
    """What a token claims, which anybody may have written. Raises `NotBelieved`."""
    read_header(token, what)
    claims = _part(token, 1)
    if claims is None:
        raise NotBelieved(f"the claims of the {what} cannot be read")
    return claims


def time_fault(claims: dict[str, Any], moment: float, skew: float) -> str | None:
    """What the clock says against these claims (RFC 7519, 4.1.4 to 4.1.6). `exp` and `iat` must be there."""
    for name in ("exp", "iat"):
        if not is_number(claims.get(name)):
            return f"it has no {name}"
    if claims["exp"] <= moment - skew:
        return f"it ended {_words(moment - claims['exp'])} ago: compare the clocks of provider and portal"
    if claims["iat"] > moment + skew:
        ahead = _words(claims["iat"] - moment)
        return f"it was issued {ahead} in the future: compare the clocks of provider and portal"
    begins = claims.get("nbf")
    if begins is not None and (not is_number(begins) or begins > moment + skew):
        return "it is not valid yet (nbf)"
    return None


def _part(token: str, number: int) -> dict[str, Any] | None:
    part = token.split(".")[number]
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fits(key: Any, algorithm: str) -> bool:
    stated = key.dict_value.get("alg")
    curve = CURVES.get(algorithm)
    kind_fits = key.key_type == KEY_TYPES[algorithm[:2]]
    return kind_fits and stated in (None, algorithm) and (curve is None or key.dict_value.get("crv") == curve)


def is_number(value: object) -> bool:
    """Whether it can be a time in seconds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e11


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
