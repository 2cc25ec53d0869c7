"""A small OpenID provider of our own for tests: right by default, and wrong in exactly the way that a test asks for.

    with FakeIdentityProvider(FakePerson("alice", groups=["/staff"])) as provider:
        callback = await provider.sign_in(authorization_url, "alice")   # what alice's browser would do

It speaks discovery (OpenID Connect Discovery 1.0), the code flow with PKCE (RFC 6749, RFC 7636, nothing but S256),
refresh with rotation, userinfo, RP-initiated and back-channel logout, revocation (RFC 7009), introspection (RFC 7662),
token exchange (RFC 8693) and the `iss` of answers (RFC 9207), over http on a port of its own, in a thread of its own:
so a test may block, and a client is tested over a real socket. It signs people in without a page: whom `login_hint`
names, else `next_person`.

Being wrong, in order of reach:

- `provider.on("refresh").fails(503)`: how the next answers of a call are given, see `Behaviour`. Calls: `discovery`,
  `jwks`, `authorize`, `token` (every grant), `code`, `refresh`, `exchange`, `userinfo`, `end_session`, `revoke`,
  `introspect`.
- `provider.change_claims(fn)`, `change_header(fn)`: what is signed. `change_answer(call, fn)`: the JSON of an answer.
  `change_callback(fn)`: what the browser brings back. `fn` gets a dictionary, and changes it or gives another one;
  None instead of `fn` ends the change.
- `provider.signing_key`, `rotate`, `extra_keys`, `signer`: with what is signed, and which keys are published.
- attributes: lifetimes, `rotates_refresh_tokens`, `callback_issuer`, `clock`, `acr`, and the people themselves.

`calls` counts, `last(call)` and `last_form(call)` tell what was asked.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import httpx
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from openlakes_portal.testing.loopback import LoopbackServer, Reply
from openlakes_portal.testing.upstream import ReceivedRequest

__all__ = [
    "Behaviour",
    "FakeAdmin",
    "FakeIdentityProvider",
    "FakePerson",
    "SignInFailed",
    "SigningKey",
    "signed_with_secret",
    "strange_keys",
    "unsigned",
]

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
TokenKind = Literal["id_token", "access_token", "logout_token"]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]
Signer = Callable[[dict[str, Any], dict[str, Any]], str]

TYPE = "urn:ietf:params:oauth:token-type:"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS = {"authorization_code": "code", "refresh_token": "refresh", EXCHANGE: "exchange"}
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
PATHS = {
    "/.well-known/openid-configuration": "discovery",
    "/jwks": "jwks",
    "/authorize": "authorize",
    "/token": "token",
    "/userinfo": "userinfo",
    "/end-session": "end_session",
    "/revoke": "revoke",
    "/introspect": "introspect",
}
REPEATABLE = frozenset({"audience", "resource"})
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
TYPES = {"id_token": "JWT", "access_token": "at+jwt", "logout_token": "logout+jwt"}
COOKIE = "fake_provider_session"
DELIVERY_TIMEOUT = 5.0


class SignInFailed(Exception):
    """The provider shows a page instead of sending the browser back; its text."""


@dataclass
class FakePerson:
    """Somebody who may sign in. Change the fields while the person is signed in: refresh and userinfo follow."""

    username: str
    subject: str = ""
    email: str | None = None
    email_verified: bool = True
    name: str | None = None
    groups: list[str] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    """Further claims of the ID token, the access token and userinfo."""
    audiences: tuple[str, ...] | None = None
    """For whom this person's token may be exchanged; None: for each audience of the provider."""
    disabled: bool = False

    def __post_init__(self) -> None:
        self.subject = self.subject or f"subject-of-{self.username}"
        self.email = self.email or f"{self.username}@example.test"
        self.name = self.name or self.username.title()

    def attributes(self) -> dict[str, Any]:
        """The claims about this person, without `sub`."""
        return {
            "preferred_username": self.username,
            "name": self.name,
            "email": self.email,
            "email_verified": self.email_verified,
            "groups": list(self.groups),
            **self.claims,
        }


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
        signed = f"{_encoded(header)}.{_encoded(claims)}"
        signature = JWSRegistry.algorithms[self.algorithm].sign(signed.encode(), self.key)
        return f"{signed}.{_base64(signature)}"


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A `signer` that signs nothing: `alg` none (RFC 7518, 3.6)."""
    return f"{_encoded({**header, 'alg': 'none'})}.{_encoded(claims)}."


def signed_with_secret(secret: bytes) -> Signer:
    """A `signer` with HS256: with the client's secret, or with a published key as if it were one (confusion)."""

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{_encoded({**header, 'alg': 'HS256'})}.{_encoded(claims)}"
        return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return sign


def strange_keys(kid: str) -> list[dict[str, Any]]:
    """For `extra_keys`: what a JWKS may hold beside the key in use, all under the same `kid`. Unknown kinds, curves and
    algorithms, a symmetric key, one for encryption, one that is too short, broken ones, and another good one."""
    other = SigningKey.generate("RS256").key.as_dict(private=False)
    curve = SigningKey.generate("ES256").key.as_dict(private=False)
    short = _base64(b"\xc1" + secrets.token_bytes(126) + b"\x01")
    return [
        {"kty": "AKP", "alg": "ML-DSA-65", "kid": kid, "pub": "AAAA"},
        {"kty": "LWE", "kid": kid},
        {**curve, "crv": "P-999", "kid": kid},
        {**other, "alg": "XX999", "kid": kid},
        {"kty": "oct", "k": _base64(b"published-secret-published-secret"), "kid": kid, "alg": "HS256"},
        {**other, "use": "enc", "kid": kid, "alg": "RSA-OAEP"},
        {"kty": "RSA", "n": short, "e": "AQAB", "kid": kid, "use": "sig", "alg": "RS256"},
        {"kty": "RSA", "n": "", "e": "AQAB", "kid": kid},
        {"kty": "RSA", "kid": kid},
        {"kty": 5, "kid": kid},
        {**other, "use": "sig", "alg": "RS256", "kid": kid},
    ]


class Behaviour:
    """How a call is answered from now on, until `recovers`; or `once()`, or `times(n)`.

    `waits` and `loses_the_answer` do the work; the others answer instead of doing it.
    """

    def __init__(self) -> None:
        self.recovers()

    def recovers(self) -> None:
        """Be right again."""
        self._wait = 0.0
        self._instead: Reply | None = None
        self._lost = False
        self._cut: int | None = None
        self._padding = 0
        self._left: int | None = None

    def answers(self, value: Any, status: int = 200) -> Self:
        """Answer with this JSON."""
        return self._set(_json(value, status))

    def answers_raw(self, body: bytes, content_type: str, status: int = 200) -> Self:
        """Answer with these bytes."""
        return self._set(Reply(status, body, (("content-type", content_type),)))

    def fails(self, status: int = 500) -> Self:
        """Answer with an error page."""
        return self.answers_raw(b"<html>made to fail</html>", "text/html", status)

    def refuses(self, error: str, status: int = 400, description: str = "made to refuse") -> Self:
        """Answer with an error of OAuth (RFC 6749, 5.2)."""
        return self.answers({"error": error, "error_description": description}, status)

    def redirects(self, location: str, status: int = 302) -> Self:
        """Send the caller elsewhere."""
        return self._set(Reply(status, b"", (("location", location),)))

    def resets(self) -> Self:
        """Close the connection without work and without an answer."""
        return self._set(Reply(cut_after=0))

    def hangs(self) -> Self:
        """Neither work nor answer; the caller waits as long as it likes."""
        self._wait = 3600.0
        return self.resets()

    def loses_the_answer(self) -> Self:
        """Do the work (a refresh token is rotated, a code is used), then close the connection without an answer."""
        self._lost = True
        return self

    def breaks_off(self, after: int) -> Self:
        """Do the work, then close the connection in the middle of the body."""
        self._cut = after
        return self

    def pads(self, size: int) -> Self:
        """Do the work, and add white space to the answer, to so many bytes: a huge body that is valid JSON."""
        self._padding = size
        return self

    def waits(self, seconds: float) -> Self:
        """Let the caller wait first."""
        self._wait = seconds
        return self

    def once(self) -> Self:
        """Only the next time."""
        return self.times(1)

    def times(self, count: int) -> Self:
        """Only so many times."""
        self._left = count
        return self

    def _set(self, reply: Reply) -> Self:
        self._instead = reply
        return self

    async def perform(self, work: Callable[[], Awaitable[Reply]]) -> Reply:
        """Answer one call (for the provider)."""
        if self._left == 0:
            return await work()
        if self._left is not None:
            self._left -= 1
        lost, cut, padding, instead = self._lost, self._cut, self._padding, self._instead
        await asyncio.sleep(self._wait)
        reply = instead or await work()
        if len(reply.body) < padding:
            reply = replace(reply, body=reply.body.ljust(padding))
        return replace(reply, cut_after=0 if lost else cut) if lost or cut is not None else reply


@dataclass
class FakeSession:
    """A person's session with the provider; `sid` is in its tokens."""

    sid: str
    person: FakePerson
    auth_time: int
    ended: bool = False


@dataclass
class _Code:
    session: FakeSession
    query: dict[str, str]
    expires: float
    used: bool = False


@dataclass
class _Access:
    session: FakeSession
    claims: dict[str, Any]


@dataclass
class _Refresh:
    session: FakeSession
    scope: str
    used: bool = False


class _Refused(Exception):
    """An error answer of OAuth."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.reply = _json({"error": error, "error_description": description}, status)


class FakeIdentityProvider:
    """A provider with one registered client. See the module's docstring for how it is used and made wrong.

    It runs between `start` and `stop`, or as a context manager; stopped and started again it has the same address and
    still knows everybody. `stop` raises what a change of the test's own raised."""

    def __init__(self, *people: FakePerson, algorithm: Algorithm = "RS256") -> None:
        self._server = LoopbackServer(self._handle)
        self.issuer = f"http://127.0.0.1:{self._server.port}"
        self.client_id = "openlakes-portal"
        self.client_secret = "fake-provider-test-secret"  # noqa: S105 - of a fake
        self.scope = "openid profile email"
        self.redirect_uris: tuple[str, ...] | None = None
        """Exact redirect URIs; None: each one on loopback."""
        self.people: dict[str, FakePerson] = {person.username: person for person in people or (FakePerson("alice"),)}
        self.next_person: str = next(iter(self.people))
        """Who signs in where the request has no `login_hint`."""
        self.audiences: tuple[str, ...] = ("reports", "notebooks")
        """For whom tokens may be exchanged."""

        self.signing_key = SigningKey.generate(algorithm)
        self.keys: list[SigningKey] = [self.signing_key]
        """What is published and accepted in hints."""
        self.extra_keys: list[dict[str, Any]] = []
        """Published before `keys`, see `strange_keys`."""
        self.signer: Signer | None = None
        """Signs instead of `signing_key`: header and claims in, token out."""

        self.callback_issuer: str | None = self.issuer
        """`iss` of callbacks (RFC 9207); None: absent."""
        self.advertises_callback_issuer = True
        self.rotates_refresh_tokens = True
        self.gives_refresh_tokens = True
        self.renews_id_tokens = True
        self.code_lifetime = 60.0
        self.access_token_lifetime = 300
        self.id_token_lifetime = 300
        self.acr: str | None = "1"
        self.amr: list[str] = ["pwd"]
        self.clock: Callable[[], float] = time.time

        self.backchannel_logout_url: str | None = None
        self.deliveries: list[int | None] = []
        """Status of each logout token that was delivered; None: nobody answered."""
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, ReceivedRequest]] = []
        self.admin = FakeAdmin(self)

        self._behaviours: dict[str, Behaviour] = {}
        self._changes: dict[tuple[str, str], Change] = {}
        self._sessions: dict[str, FakeSession] = {}
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}

    def start(self) -> Self:
        """Listen."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop, also for those who are connected: the provider is down."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        except Exception:
            if fault is None:  # else the test's own fault says more
                raise

    # What a test says and asks.

    def on(self, call: str) -> Behaviour:
        """How a call is answered; a grant (`code`, `refresh`, `exchange`) comes before `token`."""
        _check_call(call)
        return self._behaviours.setdefault(call, Behaviour())

    def change_claims(self, change: Change | None, token: TokenKind = "id_token") -> None:  # noqa: S107 - no password
        """Change the claims of tokens before they are signed."""
        self._change("claims", token, change)

    def change_header(self, change: Change | None, token: TokenKind = "id_token") -> None:  # noqa: S107 - no password
        """Change the protected header of tokens before they are signed. The signature stays the key's own."""
        self._change("header", token, change)

    def change_answer(self, call: str, change: Change | None) -> None:
        """Change the JSON of the good answers of a call: `discovery`, `jwks`, `code`, `userinfo`, ..."""
        _check_call(call)
        self._change("answer", call, change)

    def change_callback(self, change: Change | None) -> None:
        """Change the query with which the browser comes back: `code`, `state`, `iss`, `error`."""
        self._change("callback", "", change)

    def _change(self, kind: str, name: str, change: Change | None) -> None:
        if change is None:
            self._changes.pop((kind, name), None)
        else:
            self._changes[kind, name] = change

    def _changed(self, kind: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
        change = self._changes.get((kind, name))
        if change is None:
            return value
        found = change(value)
        return value if found is None else found

    def rotate(self, algorithm: Algorithm = "RS256", kid: str | None = None) -> SigningKey:
        """Sign with a new key from now on. The old ones are still published, until they are taken out of `keys`."""
        self.signing_key = SigningKey.generate(algorithm, kid)
        self.keys.append(self.signing_key)
        return self.signing_key

    def last(self, call: str) -> ReceivedRequest:
        """The newest request of a call."""
        _check_call(call)
        found = [request for name, request in self.requests if name == call]
        assert found, f"nobody called {call}"
        return found[-1]

    def last_form(self, call: str) -> dict[str, str]:
        """The form of the newest request of a call; of a repeated field the last value."""
        return dict(parse_qsl(self.last(call).body.decode(), keep_blank_values=True))

    def sessions(self, username: str) -> list[FakeSession]:
        """The sessions of a person that are not over."""
        return [s for s in self._sessions.values() if s.person.username == username and not s.ended]

    async def sign_in(
        self,
        authorization_url: str,
        username: str,
        password: str | None = None,
        *,
        session: httpx.AsyncClient | None = None,
    ) -> str:
        """What this person's browser does with the address that a client sent it to; the address it comes back to.

        `session` keeps the cookies, without it each call is a fresh browser. Every password is right. Raises
        `SignInFailed` where the provider shows a page instead: for a disabled person, or a request that it does not
        send back."""
        hint = "&" if "?" in authorization_url else "?"
        return await _sent_to(f"{authorization_url}{hint}{urlencode({'login_hint': username})}", session)

    async def sign_out(self, end_session_url: str, *, session: httpx.AsyncClient | None = None) -> str:
        """What the browser does with an end-session address; where it is sent then."""
        return await _sent_to(end_session_url, session)

    def open_session(self, username: str) -> FakeSession:
        """A session as a sign-in makes it, without one."""
        session = FakeSession(secrets.token_urlsafe(12), self.people[username], int(self.clock()))
        self._sessions[session.sid] = session
        return session

    def id_token(self, session: FakeSession, **claims: Any) -> str:
        """A signed ID token of a session (OpenID Connect Core, 2); `claims` come on top: nonce, at_hash, aud, ..."""
        now = int(self.clock())
        stated = {
            "iss": self.issuer,
            "sub": session.person.subject,
            "aud": self.client_id,
            "azp": self.client_id,
            "exp": now + self.id_token_lifetime,
            "iat": now,
            "auth_time": session.auth_time,
            "sid": session.sid,
            "amr": self.amr,
            **({} if self.acr is None else {"acr": self.acr}),
            **session.person.attributes(),
            **claims,
        }
        return self._sign("id_token", stated)

    def logout_token(self, session: FakeSession, **claims: Any) -> str:
        """A signed logout token (Back-Channel Logout 1.0, 2.4), as `logout` delivers it; `claims` come on top."""
        now = int(self.clock())
        stated = {
            "iss": self.issuer,
            "sub": session.person.subject,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(12),
            "sid": session.sid,
            "events": {LOGOUT_EVENT: {}},
            **claims,
        }
        return self._sign("logout_token", stated)

    async def logout(self, username: str) -> None:
        """End all sessions of a person and tell the client at `backchannel_logout_url`, one session after the other."""
        for session in self.sessions(username):
            await self._end(session)

    async def _end(self, session: FakeSession) -> None:
        session.ended = True
        url = self.backchannel_logout_url
        if url is None:
            return
        form = {"logout_token": self.logout_token(session)}
        async with _caller() as caller:
            try:
                status: int | None = (await caller.post(url, data=form, timeout=DELIVERY_TIMEOUT)).status_code
            except httpx.HTTPError:
                status = None
        self.deliveries.append(status)

    # What the provider does.

    async def _handle(self, request: ReceivedRequest) -> Reply:
        call = PATHS.get(request.path)
        if call is None:
            return Reply(404, b"no such page")
        names = [call]
        if call == "token":
            grant = dict(parse_qsl(request.body.decode())).get("grant_type", "")
            names = [GRANTS[grant], call] if grant in GRANTS else names
        for name in names:
            self.calls[name] += 1
            self.requests.append((name, request))
        behaviour = next((self._behaviours[name] for name in names if name in self._behaviours), Behaviour())
        return await behaviour.perform(lambda: self._work(names[0], request))

    async def _work(self, call: str, request: ReceivedRequest) -> Reply:
        try:
            reply = await self._endpoint(call, request)
        except _Refused as refused:
            return refused.reply
        if reply.status != 200 or reply.header("content-type") != "application/json":
            return reply
        return replace(reply, body=json.dumps(self._changed("answer", call, json.loads(reply.body))).encode())

    async def _endpoint(self, call: str, request: ReceivedRequest) -> Reply:
        if call == "discovery":
            return _json(self._metadata())
        if call == "jwks":
            return _json({"keys": [*self.extra_keys, *(key.public() for key in self.keys)]})
        if call == "authorize":
            return self._authorize(request)
        if call == "userinfo":
            return self._userinfo(request)
        if call == "end_session":
            return await self._end_session(request)
        form = self._authenticated(request)
        if call == "code":
            return self._redeem(form)
        if call == "refresh":
            return self._renew(form)
        if call == "exchange":
            return self._exchange(form, request)
        if call == "revoke":
            return self._revoke(form)
        if call == "introspect":
            return self._introspect(form)
        raise _Refused("unsupported_grant_type", "no such grant")

    def _metadata(self) -> dict[str, Any]:
        def at(call: str) -> str:
            return self.issuer + next(path for path, name in PATHS.items() if name == call)

        return {
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "jwks_uri": at("jwks"),
            "userinfo_endpoint": at("userinfo"),
            "end_session_endpoint": at("end_session"),
            "revocation_endpoint": at("revoke"),
            "introspection_endpoint": at("introspect"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANTS),
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "id_token_signing_alg_values_supported": sorted({key.algorithm for key in self.keys}),
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "authorization_response_iss_parameter_supported": self.advertises_callback_issuer,
        }

    def _authorize(self, request: ReceivedRequest) -> Reply:
        query = request.query if request.method == "GET" else dict(parse_qsl(request.body.decode()))
        target = query.get("redirect_uri", "")
        if query.get("client_id") != self.client_id:
            return _page("unknown client")
        if target not in self.redirect_uris if self.redirect_uris is not None else not _is_loopback(target):
            return _page("redirect_uri is not registered")
        problem = _problem(query)
        if problem is not None:
            return self._back(query, {"error": problem[0], "error_description": problem[1]})
        held = self._sessions.get(_cookie(request))
        session = self._session_for(query, held)
        if session is None:
            if query.get("prompt") == "none":
                return self._back(query, {"error": "login_required"})
            person = self.people.get(query.get("login_hint") or self.next_person)
            if person is None or person.disabled:
                return _page("the account is disabled" if person else "no such account")
            session = self.open_session(person.username)
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(session, query, self.clock() + self.code_lifetime)
        cookie = ("set-cookie", f"{COOKIE}={session.sid}; Path=/; HttpOnly")
        return self._back(query, {"code": code}, cookie)

    def _session_for(self, query: Mapping[str, str], held: FakeSession | None) -> FakeSession | None:
        """The session of this browser, where it will do for the request."""
        if held is None or held.ended or held.person.disabled or query.get("prompt") == "login":
            return None
        if query.get("login_hint") not in (None, held.person.username):
            return None
        too_old = "max_age" in query and self.clock() - held.auth_time >= float(query["max_age"])
        return None if too_old else held

    def _back(self, query: Mapping[str, str], answer: dict[str, Any], *headers: tuple[str, str]) -> Reply:
        if "state" in query:
            answer["state"] = query["state"]
        if self.callback_issuer is not None:
            answer["iss"] = self.callback_issuer
        fields = urlencode(self._changed("callback", "", answer))
        joint = "&" if "?" in query["redirect_uri"] else "?"
        return Reply(302, b"", (("location", f"{query['redirect_uri']}{joint}{fields}"), *headers))

    def _authenticated(self, request: ReceivedRequest) -> dict[str, str]:
        """The form of a request of our client. Raises where it is another's, or says something twice."""
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
        counts = Counter(name for name, _ in pairs if name not in REPEATABLE)
        if counts and counts.most_common(1)[0][1] > 1:
            raise _Refused("invalid_request", "duplicated parameter")
        form = dict(pairs)
        stated = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if stated != (self.client_id, self.client_secret):
            raise _Refused("invalid_client", "client authentication failed", 401)
        return form

    def _redeem(self, form: Mapping[str, str]) -> Reply:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.expires < self.clock():
            raise _Refused("invalid_grant", "code not valid")
        if code.used:
            code.session.ended = True  # RFC 6749, 4.1.2: what came of it is revoked
            raise _Refused("invalid_grant", "code not valid: used before")
        code.used = True
        if form.get("redirect_uri") != code.query["redirect_uri"]:
            raise _Refused("invalid_grant", "incorrect redirect_uri")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(_base64(digest), code.query["code_challenge"]):
            raise _Refused("invalid_grant", "PKCE verification failed")
        nonce = {"nonce": code.query["nonce"]} if "nonce" in code.query else {}
        return self._tokens(self._alive(code.session), code.query["scope"], nonce)

    def _renew(self, form: Mapping[str, str]) -> Reply:
        held = self._refresh.get(form.get("refresh_token", ""))
        if held is None:
            raise _Refused("invalid_grant", "invalid refresh token")
        session = self._alive(held.session)
        if held.used and self.rotates_refresh_tokens:
            session.ended = True
            raise _Refused("invalid_grant", "refresh token was used before")
        held.used = True
        return self._tokens(session, held.scope, None if not self.renews_id_tokens else {})

    def _alive(self, session: FakeSession) -> FakeSession:
        if session.ended or session.person.disabled:
            raise _Refused("invalid_grant", "the session is over")
        return session

    def _tokens(self, session: FakeSession, scope: str, claims: dict[str, Any] | None) -> Reply:
        access = self._access_token(session, self.client_id, scope)
        answer: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.access_token_lifetime,
            "scope": scope,
        }
        if claims is not None:
            answer["id_token"] = self.id_token(session, at_hash=self._half_hash(access), **claims)
        if self.gives_refresh_tokens:
            token = secrets.token_urlsafe(32)
            self._refresh[token] = _Refresh(session, scope)
            answer["refresh_token"] = token
        return _json(answer, headers=(("cache-control", "no-store"),))

    def _access_token(self, session: FakeSession, audience: str | list[str], scope: str) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.issuer,
            "sub": session.person.subject,
            "aud": audience,
            "azp": self.client_id,
            "client_id": self.client_id,
            "exp": now + self.access_token_lifetime,
            "iat": now,
            "jti": secrets.token_urlsafe(12),
            "sid": session.sid,
            "scope": scope,
            **session.person.attributes(),
        }
        token = self._sign("access_token", claims)
        self._access[token] = _Access(session, claims)
        return token

    def _sign(self, kind: TokenKind, claims: dict[str, Any]) -> str:
        key = self.signing_key
        header = self._changed("header", kind, {"alg": key.algorithm, "kid": key.kid, "typ": TYPES[kind]})
        return (self.signer or key.sign)(header, self._changed("claims", kind, claims))

    def _half_hash(self, token: str) -> str:
        """`at_hash` (OpenID Connect Core, 3.1.3.6)."""
        algorithm = self.signing_key.algorithm
        digest = hashlib.new("sha512" if algorithm == "EdDSA" else f"sha{algorithm[-3:]}", token.encode()).digest()
        return _base64(digest[: len(digest) // 2])

    def _held(self, token: str) -> _Access | None:
        """An access token that is good now."""
        held = self._access.get(token)
        if held is None or held.session.ended or held.session.person.disabled:
            return None
        return held if held.claims["exp"] > self.clock() else None

    def _exchange(self, form: Mapping[str, str], request: ReceivedRequest) -> Reply:
        if form.get("subject_token_type") != f"{TYPE}access_token":
            raise _Refused("invalid_request", "subject_token_type must be an access token's")
        if form.get("requested_token_type", f"{TYPE}access_token") != f"{TYPE}access_token":
            raise _Refused("invalid_request", "requested_token_type unsupported")
        held = self._held(form.get("subject_token", ""))
        if held is None:
            raise _Refused("invalid_request", "invalid subject_token")
        wanted = [value for name, value in parse_qsl(request.body.decode()) if name in REPEATABLE]
        person = held.session.person
        allowed = self.audiences if person.audiences is None else person.audiences
        if not wanted or any(audience not in self.audiences or audience not in allowed for audience in wanted):
            raise _Refused("invalid_target", f"audience not available: {' '.join(wanted)}")
        scope = form.get("scope", "openid")
        audience: str | list[str] = wanted[0] if len(wanted) == 1 else wanted
        answer = {
            "access_token": self._access_token(held.session, audience, scope),
            "issued_token_type": f"{TYPE}access_token",
            "token_type": "Bearer",
            "expires_in": self.access_token_lifetime,
            "scope": scope,
        }
        return _json(answer, headers=(("cache-control", "no-store"),))

    def _userinfo(self, request: ReceivedRequest) -> Reply:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        held = self._held(token) if kind.lower() == "bearer" else None
        if held is None:
            return Reply(401, b"", (("www-authenticate", 'Bearer error="invalid_token"'),))
        if "openid" not in held.claims["scope"].split():
            return Reply(403, b"", (("www-authenticate", 'Bearer error="insufficient_scope"'),))
        person = held.session.person
        return _json({"sub": person.subject, **person.attributes()})

    def _introspect(self, form: Mapping[str, str]) -> Reply:
        held = self._held(form.get("token", ""))
        audience = held.claims["aud"] if held else ()
        if held is None or self.client_id not in ([audience] if isinstance(audience, str) else audience):
            return _json({"active": False})
        return _json({"active": True, "token_type": "Bearer", **held.claims, **held.session.person.attributes()})

    def _revoke(self, form: Mapping[str, str]) -> Reply:
        refresh = self._refresh.get(form.get("token", ""))
        if refresh is not None:
            refresh.session.ended = True
        self._access.pop(form.get("token", ""), None)
        return Reply(200)

    async def _end_session(self, request: ReceivedRequest) -> Reply:
        query = request.query if request.method == "GET" else dict(parse_qsl(request.body.decode()))
        session = self._hinted(query["id_token_hint"]) if "id_token_hint" in query else None
        if "id_token_hint" in query and session is None:
            return _page("the id_token_hint is not valid")
        session = session or self._sessions.get(_cookie(request))
        if session is not None and not session.ended:
            await self._end(session)
        target = query.get("post_logout_redirect_uri")
        if target is None:
            return _page("signed out", 200)
        if not _is_loopback(target):
            return _page("post_logout_redirect_uri is not registered")
        joint = "&" if "?" in target else "?"
        state = f"{joint}{urlencode({'state': query['state']})}" if "state" in query else ""
        return Reply(302, b"", (("location", f"{target}{state}"),))

    def _hinted(self, token: str) -> FakeSession | None:
        """The session of an ID token of ours, however old; None for one that no published key signed."""
        signed, _, signature = token.rpartition(".")
        try:
            claims = json.loads(_bytes(signed.split(".")[-1]))
            genuine = any(
                JWSRegistry.algorithms[key.algorithm].verify(signed.encode(), _bytes(signature), key.key)
                for key in self.keys
            )
        except (ValueError, binascii.Error):
            return None
        return self._sessions.get(str(claims.get("sid"))) if genuine else None


async def _sent_to(url: str, session: httpx.AsyncClient | None) -> str:
    async with _caller() as fresh:
        response = await (session or fresh).get(url)
    if not response.is_redirect:
        raise SignInFailed(response.text)
    return str(response.headers["location"])


def _caller() -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=False, trust_env=False)  # noqa: S501 - plain http on loopback


class FakeAdmin:
    """The administrator of a fake, with the words that tests use for real providers too."""

    def __init__(self, provider: FakeIdentityProvider) -> None:
        self._provider = provider

    async def disable(self, username: str) -> None:
        """Refuse the person from now on; no client is told, as with Keycloak."""
        self._provider.people[username].disabled = True

    async def enable(self, username: str) -> None:
        """Undo `disable`: what they held lives again."""
        self._provider.people[username].disabled = False

    async def logout(self, username: str) -> None:
        """End all sessions of a person; the client is told."""
        await self._provider.logout(username)

    async def set_backchannel_logout(self, url: str | None) -> None:
        """Where the client is told of ended sessions."""
        self._provider.backchannel_logout_url = url


def _problem(query: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with an authorization request, as its callback is told."""
    if query.get("response_type") != "code":
        return "unsupported_response_type", "nothing but code"
    if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
        return "invalid_request", "PKCE with S256 is demanded"
    if "openid" not in query.get("scope", "").split():
        return "invalid_scope", "openid is not among them"
    return None


def _check_call(call: str) -> None:
    known = {*PATHS.values(), *GRANTS.values()}
    assert call in known, f"no call {call!r}; there are {', '.join(sorted(known))}"


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.hostname in ("127.0.0.1", "localhost", "::1")


def _cookie(request: ReceivedRequest) -> str:
    pairs = (part.strip().partition("=") for part in request.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def _basic(request: ReceivedRequest) -> tuple[str, str] | None:
    """Client id and secret of client_secret_basic: each form-encoded before they are joined (RFC 6749, 2.3.1)."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None
    return unquote_plus(name), unquote_plus(secret)


def _json(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, json.dumps(value).encode(), (("content-type", "application/json"), *headers))


def _page(text: str, status: int = 400) -> Reply:
    return Reply(status, text.encode(), (("content-type", "text/plain; charset=utf-8"),))


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
