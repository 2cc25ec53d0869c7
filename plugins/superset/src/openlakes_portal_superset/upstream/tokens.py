"""The portal's tokens as Superset checks them (RFC 7519): signed by a key of the portal's, for Superset, not over.

*Keys*: the portal's public keys (RFC 7517), fetched from its address and kept for a minute.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import requests
from jwt.algorithms import Algorithm, get_default_algorithms

log = logging.getLogger(__name__)

ALGORITHMS = ("EdDSA", "ES256")
"""What is accepted, whatever a token or a key says: never a shared secret, never `none`."""
REQUIRED = ("exp", "iat", "nbf", "sub", "aud", "iss")
LEEWAY = 5
FRESH = 60.0
"""Seconds in which the keys are not fetched again."""
COOLDOWN = 30.0
"""Seconds from the end of a fetch to the next one, whatever is asked for: made-up key ids do not flood the portal."""
STALE = 3600.0
"""Seconds for which known keys serve while the portal does not answer."""
TIMEOUT = 5.0
MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Person:
    """Whom a token names: the user name, what they are called, and their roles in the portal."""

    username: str
    name: str
    email: str | None
    roles: frozenset[str]


@dataclass(frozen=True)
class _Key:
    algorithm: str
    verifier: Any


class Keys:
    """The portal's public keys by their id. One for a process; threads share it."""

    def __init__(self, url: str, ca_file: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._verify: bool | str = ca_file or True
        self._clock = clock
        self._keys: Mapping[str, _Key] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._asking = threading.Lock()

    def get(self, kid: str) -> _Key | None:
        """The key of this id; None where the portal has none such, or cannot be asked. Whose key is known does not
        wait while another thread asks the portal."""
        if self._wants_asking(kid) and self._asking.acquire(blocking=not self._serves(kid)):
            try:
                if self._wants_asking(kid):  # else another thread did, while this one waited
                    self._fetch()
                    self._tried = self._clock()
            finally:
                self._asking.release()
        return self._keys.get(kid) if self._serves(kid) else None

    def _wants_asking(self, kid: str) -> bool:
        moment = self._clock()
        is_fresh = kid in self._keys and self._fetched is not None and moment - self._fetched <= FRESH
        return not is_fresh and (self._tried is None or moment - self._tried >= COOLDOWN)

    def _serves(self, kid: str) -> bool:
        return kid in self._keys and self._fetched is not None and self._clock() - self._fetched <= STALE

    def _fetch(self) -> None:
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy, and no other CA file, by a variable of the environment
                answer = session.get(
                    self._url, timeout=TIMEOUT, verify=self._verify, allow_redirects=False, stream=True
                )
                answer.raise_for_status()
                body = answer.raw.read(MAX_BYTES, decode_content=True)
            self._keys = _parsed(body)
            self._fetched = self._clock()
        except (requests.RequestException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("the portal's keys cannot be fetched from %s: %s", self._url, error)


def _parsed(body: bytes) -> dict[str, _Key]:
    import json

    known: dict[str, Algorithm] = get_default_algorithms()
    found = {}
    for key in json.loads(body)["keys"]:
        algorithm = key.get("alg") or {"OKP": "EdDSA", "EC": "ES256"}.get(key.get("kty"))
        if algorithm in ALGORITHMS and isinstance(key.get("kid"), str):
            found[key["kid"]] = _Key(algorithm, known[algorithm].from_jwk(json.dumps(key)))
    return found


def person_of(token: str, keys: Keys, issuer: str, audience: str) -> Person | None:
    """Whom the token names; None, and a line in the log, where it is not to be believed."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidKeyError("it is signed by no key of the portal's")
        claims = jwt.decode(
            token,
            key.verifier,
            algorithms=[key.algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )
        return _person(claims)
    except (jwt.PyJWTError, ValueError) as error:
        log.warning("an identity is refused: %s", error)
        return None


def _person(claims: Mapping[str, Any]) -> Person:
    username, roles = claims["sub"], claims.get("roles")
    if not isinstance(username, str) or not username or len(username) > 128:
        raise ValueError("its user name is none that Superset can keep (1 to 128 characters)")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise ValueError("it does not say which roles the person has")
    if claims["aud"] in ([], None) or (isinstance(claims["aud"], list) and len(claims["aud"]) != 1):
        raise ValueError("it is for more than one system")
    name, email = claims.get("name"), claims.get("email")
    return Person(
        username,
        name if isinstance(name, str) and name.strip() else username,
        email if isinstance(email, str) and email else None,
        frozenset(roles),
    )
