"""Whose tokens are looked at, and with which keys: each issuer that a rule names, and no other.

An issuer's keys are those that its rules state (`jwks`, `jwks_file`, `jwks_uri`), else those that its discovery names
(OpenID Connect Discovery 1.0), which must state the same issuer. Clusters often share one issuer's name: rules that
state other keys trust another signer, and a token that one signed counts for that one's rules only.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openlakes_portal._auth.oidc.errors import ProviderMisconfigured, ProviderUnavailable
from openlakes_portal._auth.oidc.examine import Finding
from openlakes_portal._auth.oidc.fetch import MAX_ANSWER, Fetcher
from openlakes_portal._auth.oidc.jws import signed_claims
from openlakes_portal._auth.oidc.keys import KeySet, usable_keys
from openlakes_portal._auth.oidc.provider import is_safe
from openlakes_portal._settings.token_exchange import TokenExchangeSettings, TrustRule
from openlakes_portal.spi import PortalError

WHERE = "auth.token_exchange.rules"


@dataclass(frozen=True)
class Place:
    """Where the keys of an issuer are, as a rule states it; `ca_file` and `timeout` are how they are reached."""

    issuer: str
    jwks_uri: str | None
    jwks: str | None
    jwks_file: Path | None
    ca_file: Path | None
    algorithms: tuple[str, ...]
    timeout: float


class Signer:
    """One issuer with one set of keys, and the rules that trust it, in the order of the settings."""

    def __init__(self, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = place.issuer
        self.rules: list[TrustRule] = []
        self._place = place
        self._fetch = Fetcher(place, "token issuer", WHERE)
        self._keys = KeySet(self.load, clock)
        self._discovered: str | None = None

    async def claims_of(self, token: str) -> dict[str, Any]:
        """The claims of a token that it has signed. Raises `NotBelieved`, and `ProviderUnavailable` or
        `ProviderMisconfigured` where its keys are not to be had."""
        _, claims = await signed_claims(token, "subject token", self._place.algorithms, self._keys.find)
        return claims

    async def load(self) -> list[Any]:
        """Its keys, as it or the rules state them. Raises `ProviderUnavailable` or `ProviderMisconfigured`."""
        place = self._place
        if place.jwks is not None:
            return _keys_in(json.loads(place.jwks), f"{WHERE}.jwks")
        if place.jwks_file is not None:
            return _keys_in(await asyncio.to_thread(_read, place.jwks_file), f"{WHERE}.jwks_file {place.jwks_file}")
        if place.jwks_uri is None and self._discovered is None:
            self._discovered = await self._discover()
        url = place.jwks_uri or self._discovered or ""
        answer = await self._fetch.get(url)
        if answer.status != 200:
            self._discovered = None  # it may have moved: the next time it is asked again
            raise ProviderUnavailable(f"The keys of {self.issuer} cannot be read: {url} answers {answer.status}.")
        return _keys_in(answer.data, url)

    async def _discover(self) -> str:
        """Where the issuer says its keys are."""
        url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = await self._fetch.get(url)
        if answer.status != 200:
            remedy = "Without public discovery a rule needs jwks_uri, jwks or jwks_file."
            raise ProviderMisconfigured(f"{url} answers {answer.status}.", remedy=remedy)
        stated, keys = answer.data.get("issuer"), answer.data.get("jwks_uri")
        if stated != self.issuer:
            raise ProviderMisconfigured(f"{url} says that its issuer is {str(stated)[:200]!r}.")
        if not isinstance(keys, str) or not is_safe(keys, self.issuer):
            raise ProviderMisconfigured(f"{url} states no usable jwks_uri: {str(keys)[:200]!r}.")
        return keys

    async def close(self) -> None:
        """Let the connections go."""
        await self._fetch.close()


class Issuers:
    """All issuers that are trusted."""

    def __init__(self, settings: TokenExchangeSettings, clock: Callable[[], float] = time.monotonic) -> None:
        signers: dict[Place, Signer] = {}
        for rule in settings.rules:
            place = _place(rule, settings.timeout)
            signers.setdefault(place, Signer(place, clock)).rules.append(rule)
        self._signers = list(signers.values())

    def of(self, issuer: object) -> list[Signer]:
        """Those of this name; none for everybody else."""
        return [signer for signer in self._signers if signer.issuer == issuer]

    async def examine(self) -> AsyncIterator[Finding]:
        """Whether the keys of each are to be had, for `openlakes doctor`."""
        for signer in self._signers:
            names = ", ".join(rule.name for rule in signer.rules)
            subject = f"token issuer {signer.issuer} ({names})"
            try:
                keys = usable_keys(await signer.load())
            except PortalError as error:
                yield Finding(subject, False, error.detail, error.remedy or "")
                continue
            if keys:
                yield Finding(subject, True, f"{len(keys)} usable key{'' if len(keys) == 1 else 's'}")
            else:
                yield Finding(subject, False, "it has no key that can be used here", "Ask who runs it for its JWKS.")

    async def close(self) -> None:
        """Let the connections go."""
        for signer in self._signers:
            await signer.close()


def _place(rule: TrustRule, timeout: float) -> Place:
    keys = json.dumps(rule.jwks, sort_keys=True) if rule.jwks is not None else None
    return Place(rule.issuer, rule.jwks_uri, keys, rule.jwks_file, rule.ca_file, rule.algorithms, timeout)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(MAX_ANSWER))
    except (OSError, ValueError, RecursionError) as error:
        raise ProviderMisconfigured(
            f"{WHERE}.jwks_file {path} cannot be used: {type(error).__name__}.", remedy="Give it the issuer's JWKS."
        ) from None


def _keys_in(data: Any, where: str) -> list[Any]:
    keys = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(keys, list):
        raise ProviderMisconfigured(f"{where} holds no keys (RFC 7517).")
    return keys
