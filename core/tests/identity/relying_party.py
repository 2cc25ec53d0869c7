"""A plain OpenID client for the tests of the providers: it does one thing at a time and checks nothing by itself."""

import base64
import hashlib
import secrets
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from openlakes_portal.testing.loopback import LoopbackServer, Reply
from openlakes_portal.testing.upstream import ReceivedRequest

from .contract import Provider, browser

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True)
class Begun:
    """A sign-in under way."""

    url: str
    state: str
    nonce: str
    verifier: str


class RelyingParty:
    """The registered client of a provider, with a back-channel logout address that answers."""

    def __init__(self, provider: Provider, http: httpx.AsyncClient, receiver: "LogoutReceiver") -> None:
        self.provider = provider
        self.receiver = receiver
        self.redirect_uri = f"{receiver.address}/callback"
        self.home = f"{receiver.address}/"
        self.http = http
        self._metadata: dict[str, Any] = {}

    async def metadata(self) -> dict[str, Any]:
        """What discovery says."""
        if not self._metadata:
            url = f"{self.provider.issuer}/.well-known/openid-configuration"
            self._metadata = (await self.http.get(url)).raise_for_status().json()
        return self._metadata

    async def begin(self, **fields: str) -> Begun:
        """An authorization request; an empty field is left out."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        begun = {"state": secrets.token_urlsafe(12), "nonce": secrets.token_urlsafe(12)}
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.provider.scope,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **begun,
            **fields,
        }
        endpoint = (await self.metadata())["authorization_endpoint"]
        url = f"{endpoint}?{urlencode({k: v for k, v in query.items() if v})}"
        return Begun(url, query["state"], query["nonce"], verifier)

    async def token(self, secret: str | None = None, **form: str) -> httpx.Response:
        """A call to the token endpoint with client_secret_basic."""
        auth = (self.provider.client_id, secret or self.provider.client_secret)
        return await self.http.post((await self.metadata())["token_endpoint"], data=form, auth=auth)

    async def redeem(self, callback: str, begun: Begun, verifier: str | None = None) -> httpx.Response:
        """The code of a callback for tokens."""
        return await self.token(
            grant_type="authorization_code",
            code=query_of(callback)["code"],
            redirect_uri=self.redirect_uri,
            code_verifier=verifier or begun.verifier,
        )

    async def sign_in(self, username: str = "alice", session: httpx.AsyncClient | None = None) -> dict[str, Any]:
        """The token endpoint's answer for a person who signs in."""
        begun = await self.begin()
        callback = await self.provider.sign_in(begun.url, username, session=session)
        answer = await self.redeem(callback, begun)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def refresh(self, refresh_token: str) -> httpx.Response:
        """New tokens for a refresh token."""
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token)

    async def exchange(self, access_token: str, audience: str) -> httpx.Response:
        """A token for an audience (RFC 8693)."""
        return await self.token(
            grant_type=EXCHANGE, subject_token=access_token, subject_token_type=ACCESS_TOKEN, audience=audience
        )

    async def userinfo(self, access_token: str) -> httpx.Response:
        """What the provider says of the person."""
        url = (await self.metadata())["userinfo_endpoint"]
        return await self.http.get(url, headers={"authorization": f"Bearer {access_token}"})

    async def verified(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token that one of the published keys signed; raises a `JoseError` for another."""
        keys = (await self.http.get((await self.metadata())["jwks_uri"])).raise_for_status().json()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # RFC 9864 renames EdDSA
            found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256", "PS256", "ES256", "EdDSA"])
        assert found.claims["exp"] > time.time()
        return found.header, found.claims


class LogoutReceiver:
    """Takes back-channel logout tokens on a port of its own."""

    def __init__(self) -> None:
        self._server = LoopbackServer(self._receive)
        self.address = f"http://127.0.0.1:{self._server.port}"
        self.url = f"{self.address}/backchannel-logout"
        self.requests: list[ReceivedRequest] = []

    async def _receive(self, request: ReceivedRequest) -> Reply:
        self.requests.append(request)
        return Reply()

    def __enter__(self) -> "LogoutReceiver":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def tokens(self) -> list[str]:
        """The logout tokens that came."""
        return [parse_qs(request.body.decode())["logout_token"][0] for request in self.requests]


@asynccontextmanager
async def relying_party(provider: Provider) -> AsyncIterator[RelyingParty]:
    """A client of a provider that is told of logouts."""
    with LogoutReceiver() as receiver:
        await provider.admin.set_backchannel_logout(receiver.url)
        async with browser() as http:
            yield RelyingParty(provider, http, receiver)
        await provider.admin.set_backchannel_logout(None)


def query_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))
