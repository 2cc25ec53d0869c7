"""Trying the identity provider without a person, for `openlakes doctor`: each thing that can be wrong, in words."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

from openlakes_portal._auth.oidc.client import OidcClient, Redirect
from openlakes_portal._auth.oidc.errors import ProviderMisconfigured, SignInRefused
from openlakes_portal._auth.oidc.fetch import Fetcher
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.service import CALLBACK
from openlakes_portal._settings.model import OidcSettings
from openlakes_portal.spi import PortalError

NOBODYS = Redirect("examination", "examination", "examination-examination-examination-examination")


@dataclass(frozen=True)
class Finding:
    """What was tried, whether it is well, and words for an operator."""

    subject: str
    good: bool
    words: str
    remedy: str = ""


async def examine(settings: OidcSettings, public_url: str) -> AsyncIterator[Finding]:
    """Everything, until something makes the rest pointless."""
    fetch = Fetcher(settings)
    provider = Provider(settings, fetch)
    try:
        try:
            await provider.metadata()
        except PortalError as error:
            yield _bad("identity provider", error)
            return
        yield Finding("identity provider", True, f"{settings.issuer} answers as that issuer")
        yield await _clock(fetch, settings)
        yield await _keys(provider)
        client = OidcClient(provider, public_url + CALLBACK)
        yield await _client(client)
        yield await _redirect_uri(fetch, client, public_url + CALLBACK)
    finally:
        await fetch.close()


def _bad(subject: str, error: PortalError) -> Finding:
    return Finding(subject, False, error.detail, error.remedy or "")


async def _clock(fetch: Fetcher, settings: OidcSettings) -> Finding:
    """The `Date` of an answer (RFC 9110, 6.6.1) beside our own clock."""
    stated = (await fetch.head_date(settings.issuer.rstrip("/") + "/.well-known/openid-configuration")) or ""
    try:
        apart = parsedate_to_datetime(stated).timestamp() - time.time()
    except ValueError:
        return Finding("clock", True, "the identity provider does not say what time it has")
    if abs(apart) > settings.clock_skew:
        ahead = "ahead of" if apart > 0 else "behind"
        words = f"the identity provider is {abs(apart):.0f} s {ahead} this machine; {settings.clock_skew} s are allowed"
        return Finding("clock", False, words, "Synchronise both by NTP; every sign-in fails until then.")
    return Finding("clock", True, f"within {max(1, round(abs(apart)))} s of the identity provider's")


async def _keys(provider: Provider) -> Finding:
    try:
        keys = await provider.keys(None)
    except PortalError as error:
        return _bad("provider's keys", error)
    if not keys:
        algorithms = ", ".join(provider.settings.algorithms)
        return Finding(
            "provider's keys", False, f"it publishes none that can be used; these are believed: {algorithms}"
        )
    return Finding("provider's keys", True, f"{len(keys)} that can be used")


async def _client(client: OidcClient) -> Finding:
    """A code that nobody was given: a provider that knows the client says so of the code, else of the client."""
    try:
        await client.redeem("no-such-code", NOBODYS.verifier)
    except SignInRefused:
        return Finding("client and secret", True, "the identity provider accepts them")
    except PortalError as error:
        return _bad("client and secret", error)
    return Finding("client and secret", False, "the identity provider gave tokens for a code that does not exist")


async def _redirect_uri(fetch: Fetcher, client: OidcClient, redirect_uri: str) -> Finding:
    """What the provider says to a sign-in that nobody makes: a page of its own or a redirect is good, an error not."""
    subject = "redirect URI"
    try:
        status, location = await fetch.visit(await client.authorization_url(NOBODYS))
    except (PortalError, ProviderMisconfigured) as error:
        return _bad(subject, error)
    if status >= 400:
        words = f"the identity provider answers {status} to a sign-in that comes back to {redirect_uri}"
        return Finding(subject, False, words, f"Register exactly {redirect_uri} for the client there.")
    refusal = parse_qs(urlsplit(location or "").query).get("error", [""])[0]
    if refusal and (location or "").startswith(redirect_uri):
        words = f"it is registered, and the identity provider refuses the request: {refusal[:60]}"
        return Finding(subject, False, words, "Compare auth.oidc.scopes with what the client may ask for there.")
    return Finding(subject, True, f"the identity provider takes {redirect_uri}")
