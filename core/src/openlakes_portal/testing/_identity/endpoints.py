"""What the fake provider does when it is called."""

import binascii
import hashlib
import hmac
import json
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from joserfc.jws import JWSRegistry

from openlakes_portal.testing._identity.behaviour import Behaviour
from openlakes_portal.testing._identity.keys import Algorithm, SigningKey
from openlakes_portal.testing._identity.people import Access, Code, FakePerson, FakeSession, Refresh, Refused
from openlakes_portal.testing._identity.wire import (
    COOKIE,
    GRANTS,
    LOGOUT_EVENT,
    PATHS,
    REPEATABLE,
    TYPE,
    TYPES,
    Change,
    Signer,
    TokenKind,
    base64_text,
    basic_of,
    cookie_of,
    from_base64,
    is_loopback,
    json_reply,
    page,
    problem_of,
)
from openlakes_portal.testing.loopback import LoopbackServer, Reply
from openlakes_portal.testing.upstream import ReceivedRequest

DELIVERY_TIMEOUT = 5.0


class Endpoints:
    """The state of a provider with one client, and its endpoints."""

    def __init__(self, *people: FakePerson, algorithm: Algorithm = "RS256", tls: ssl.SSLContext | None = None) -> None:
        self._server = LoopbackServer(self._handle, tls)
        self.issuer = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.port}"
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

        self._behaviours: dict[str, Behaviour] = {}
        self._changes: dict[tuple[str, str], Change] = {}
        self._sessions: dict[str, FakeSession] = {}
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Access] = {}
        self._refresh: dict[str, Refresh] = {}

    def _changed(self, kind: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
        change = self._changes.get((kind, name))
        if change is None:
            return value
        found = change(value)
        return value if found is None else found

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

    async def _end(self, session: FakeSession) -> None:
        session.ended = True
        url = self.backchannel_logout_url
        if url is None:
            return
        form = {"logout_token": self.logout_token(session)}
        async with caller() as client:
            try:
                status: int | None = (await client.post(url, data=form, timeout=DELIVERY_TIMEOUT)).status_code
            except httpx.HTTPError:
                status = None
        self.deliveries.append(status)

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
        reply = await behaviour.perform(lambda: self._work(names[0], request))
        return replace(reply, headers=(*reply.headers, ("date", formatdate(self.clock(), usegmt=True))))

    async def _work(self, call: str, request: ReceivedRequest) -> Reply:
        try:
            reply = await self._endpoint(call, request)
        except Refused as refused:
            return refused.reply
        if reply.status != 200 or reply.header("content-type") != "application/json":
            return reply
        return replace(reply, body=json.dumps(self._changed("answer", call, json.loads(reply.body))).encode())

    async def _endpoint(self, call: str, request: ReceivedRequest) -> Reply:
        if call == "discovery":
            return json_reply(self._metadata())
        if call == "jwks":
            return json_reply({"keys": [*self.extra_keys, *(key.public() for key in self.keys)]})
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
        raise Refused("unsupported_grant_type", "no such grant")

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
            return page("unknown client")
        if target not in self.redirect_uris if self.redirect_uris is not None else not is_loopback(target):
            return page("redirect_uri is not registered")
        problem = problem_of(query)
        if problem is not None:
            return self._back(query, {"error": problem[0], "error_description": problem[1]})
        held = self._sessions.get(cookie_of(request))
        session = self._session_for(query, held)
        if session is None:
            if query.get("prompt") == "none":
                return self._back(query, {"error": "login_required"})
            person = self.people.get(query.get("login_hint") or self.next_person)
            if person is None or person.disabled:
                return page("the account is disabled" if person else "no such account")
            session = self.open_session(person.username)
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(session, query, self.clock() + self.code_lifetime)
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
            raise Refused("invalid_request", "duplicated parameter")
        form = dict(pairs)
        stated = basic_of(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if stated != (self.client_id, self.client_secret):
            raise Refused("invalid_client", "client authentication failed", 401)
        return form

    def _redeem(self, form: Mapping[str, str]) -> Reply:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.expires < self.clock():
            raise Refused("invalid_grant", "code not valid")
        if code.used:
            code.session.ended = True  # RFC 6749, 4.1.2: what came of it is revoked
            raise Refused("invalid_grant", "code not valid: used before")
        code.used = True
        if form.get("redirect_uri") != code.query["redirect_uri"]:
            raise Refused("invalid_grant", "incorrect redirect_uri")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(base64_text(digest), code.query["code_challenge"]):
            raise Refused("invalid_grant", "PKCE verification failed")
        nonce = {"nonce": code.query["nonce"]} if "nonce" in code.query else {}
        return self._tokens(self._alive(code.session), code.query["scope"], nonce)

    def _renew(self, form: Mapping[str, str]) -> Reply:
        held = self._refresh.get(form.get("refresh_token", ""))
        if held is None:
            raise Refused("invalid_grant", "invalid refresh token")
        session = self._alive(held.session)
        if held.used and self.rotates_refresh_tokens:
            session.ended = True
            raise Refused("invalid_grant", "refresh token was used before")
        held.used = True
        return self._tokens(session, held.scope, None if not self.renews_id_tokens else {})

    def _alive(self, session: FakeSession) -> FakeSession:
        if session.ended or session.person.disabled:
            raise Refused("invalid_grant", "the session is over")
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
            self._refresh[token] = Refresh(session, scope)
            answer["refresh_token"] = token
        return json_reply(answer, headers=(("cache-control", "no-store"),))

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
        self._access[token] = Access(session, claims)
        return token

    def _sign(self, kind: TokenKind, claims: dict[str, Any]) -> str:
        key = self.signing_key
        header = self._changed("header", kind, {"alg": key.algorithm, "kid": key.kid, "typ": TYPES[kind]})
        return (self.signer or key.sign)(header, self._changed("claims", kind, claims))

    def _half_hash(self, token: str) -> str:
        """`at_hash` (OpenID Connect Core, 3.1.3.6)."""
        algorithm = self.signing_key.algorithm
        digest = hashlib.new("sha512" if algorithm == "EdDSA" else f"sha{algorithm[-3:]}", token.encode()).digest()
        return base64_text(digest[: len(digest) // 2])

    def _held(self, token: str) -> Access | None:
        """An access token that is good now."""
        held = self._access.get(token)
        if held is None or held.session.ended or held.session.person.disabled:
            return None
        return held if held.claims["exp"] > self.clock() else None

    def _exchange(self, form: Mapping[str, str], request: ReceivedRequest) -> Reply:
        if form.get("subject_token_type") != f"{TYPE}access_token":
            raise Refused("invalid_request", "subject_token_type must be an access token's")
        if form.get("requested_token_type", f"{TYPE}access_token") != f"{TYPE}access_token":
            raise Refused("invalid_request", "requested_token_type unsupported")
        held = self._held(form.get("subject_token", ""))
        if held is None:
            raise Refused("invalid_request", "invalid subject_token")
        wanted = [value for name, value in parse_qsl(request.body.decode()) if name in REPEATABLE]
        person = held.session.person
        allowed = self.audiences if person.audiences is None else person.audiences
        if not wanted or any(audience not in self.audiences or audience not in allowed for audience in wanted):
            raise Refused("invalid_target", f"audience not available: {' '.join(wanted)}")
        scope = form.get("scope", "openid")
        audience: str | list[str] = wanted[0] if len(wanted) == 1 else wanted
        answer = {
            "access_token": self._access_token(held.session, audience, scope),
            "issued_token_type": f"{TYPE}access_token",
            "token_type": "Bearer",
            "expires_in": self.access_token_lifetime,
            "scope": scope,
        }
        return json_reply(answer, headers=(("cache-control", "no-store"),))

    def _userinfo(self, request: ReceivedRequest) -> Reply:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        held = self._held(token) if kind.lower() == "bearer" else None
        if held is None:
            return Reply(401, b"", (("www-authenticate", 'Bearer error="invalid_token"'),))
        if "openid" not in held.claims["scope"].split():
            return Reply(403, b"", (("www-authenticate", 'Bearer error="insufficient_scope"'),))
        person = held.session.person
        return json_reply({"sub": person.subject, **person.attributes()})

    def _introspect(self, form: Mapping[str, str]) -> Reply:
        held = self._held(form.get("token", ""))
        audience = held.claims["aud"] if held else ()
        if held is None or self.client_id not in ([audience] if isinstance(audience, str) else audience):
            return json_reply({"active": False})
        return json_reply({"active": True, "token_type": "Bearer", **held.claims, **held.session.person.attributes()})

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
            return page("the id_token_hint is not valid")
        session = session or self._sessions.get(cookie_of(request))
        if session is not None and not session.ended:
            await self._end(session)
        target = query.get("post_logout_redirect_uri")
        if target is None:
            return page("signed out", 200)
        if not is_loopback(target):
            return page("post_logout_redirect_uri is not registered")
        joint = "&" if "?" in target else "?"
        state = f"{joint}{urlencode({'state': query['state']})}" if "state" in query else ""
        return Reply(302, b"", (("location", f"{target}{state}"),))

    def _hinted(self, token: str) -> FakeSession | None:
        """The session of an ID token of ours, however old; None for one that no published key signed."""
        signed, _, signature = token.rpartition(".")
        try:
            claims = json.loads(from_base64(signed.split(".")[-1]))
            genuine = any(
                JWSRegistry.algorithms[key.algorithm].verify(signed.encode(), from_base64(signature), key.key)
                for key in self.keys
            )
        except (ValueError, binascii.Error):
            return None
        return self._sessions.get(str(claims.get("sid"))) if genuine else None


def caller() -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=False, trust_env=False)  # noqa: S501 - plain http on loopback
