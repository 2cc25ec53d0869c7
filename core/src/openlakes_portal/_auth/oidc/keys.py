"""The keys of who signs tokens (RFC 7517), as they are believed here.

They are loaded again when they are old or a token names an unknown one, but for the sake of unknown ones not more than
twice a minute, however many forged tokens come.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from openlakes_portal.spi import PortalError

KEYS_FOR = 300.0
REFETCH_AFTER = 30.0
"""Seconds between two fetches for the sake of an unknown key: at most two a minute."""
FAILED_FOR = 2.0
"""Seconds for which a failure is the answer to everybody: who is dead is not asked by each request."""
BELIEVED_FOR = 24 * 3600.0
"""Seconds after their last fetch for which keys are believed while there is no newer word: a key that was withdrawn
because it leaked must not count for as long as somebody can keep its issuer away from us."""
MOST_KEYS = 100


@dataclass(frozen=True)
class _Keys:
    at: float
    keys: tuple[Any, ...]
    fault: PortalError | None = None
    good_at: float = float("-inf")
    """When `keys` were fetched; `at` is when it was tried last."""


class KeySet:
    """Keys of one signer. `load` gives the `keys` of a JWKS, or raises a `PortalError`."""

    def __init__(self, load: Callable[[], Awaitable[list[Any]]], clock: Callable[[], float] = time.monotonic) -> None:
        self._source = load
        self._clock = clock
        self._keys: _Keys | None = None
        self._refetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None) -> tuple[Any, ...]:
        """The keys that may have signed a token with this `kid`, all of them where it names none. Raises what `load`
        raised where there are none at all. Who names a key that is known does not wait while it is asked for others."""
        held = self._keys
        if held is not None and held.fault is None and self._clock() - held.at <= KEYS_FOR:
            named = tuple(k for k in held.keys if kid is None or k.kid == kid)
            if named:
                return named
        async with self._lock:
            held = self._keys
            age = self._clock() - held.at if held else float("inf")
            known = {k.kid for k in held.keys} if held and not held.fault else {kid}  # after a failure nothing is
            unknown = kid is not None and kid not in known
            again = unknown and self._clock() - self._refetched_at > REFETCH_AFTER
            if again:
                self._refetched_at = self._clock()
            if held is None or again or age > (FAILED_FOR if held.fault else KEYS_FOR):
                held = self._keys = await self._load(held)
        if held.fault is not None and not held.keys:
            raise held.fault
        return tuple(k for k in held.keys if kid is None or k.kid == kid)

    async def _load(self, before: _Keys | None) -> _Keys:
        try:
            found = await self._source()
        except PortalError as error:
            if before is not None and before.fault is None and self._clock() - before.at <= KEYS_FOR:
                return before  # asked for the sake of an unknown key only: what is known is young enough
            moment = self._clock()
            if before is None or moment - before.good_at > BELIEVED_FOR:
                return _Keys(moment, (), error)
            return _Keys(moment, before.keys, error, before.good_at)
        moment = self._clock()
        return _Keys(moment, usable_keys(found), good_at=moment)


def usable_keys(data: list[Any]) -> tuple[Any, ...]:
    """The keys of a JWKS that can be used here."""
    return tuple(key for key in map(usable_key, data[:MOST_KEYS]) if key is not None)


def usable_key(data: object) -> Any | None:
    """A public key for signatures, None for anything else: what we cannot use stands beside what we can."""
    from joserfc.jwk import JWKRegistry

    if not isinstance(data, dict) or data.get("kty") not in ("RSA", "EC", "OKP") or data.get("use", "sig") != "sig":
        return None
    operations = data.get("key_ops")
    if isinstance(operations, list) and "verify" not in operations:
        return None
    public = {k: v for k, v in data.items() if k not in ("d", "p", "q", "dp", "dq", "qi", "oth")}
    try:
        key: Any = JWKRegistry.import_key(public)
        key.get_op_key("verify")
        if key.key_type == "RSA" and key.raw_value.key_size < 2048:
            return None
    except Exception:
        return None
    return key
