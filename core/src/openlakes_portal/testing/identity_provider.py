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

import ssl
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlencode

import httpx

from openlakes_portal.testing._identity.behaviour import Behaviour
from openlakes_portal.testing._identity.endpoints import Endpoints, caller
from openlakes_portal.testing._identity.keys import (
    Algorithm,
    SigningKey,
    signed_with_secret,
    strange_keys,
    unsigned,
)
from openlakes_portal.testing._identity.people import FakePerson, FakeSession, SignInFailed
from openlakes_portal.testing._identity.wire import Change, TokenKind, check_call
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


class FakeIdentityProvider(Endpoints):
    """A provider with one registered client. See the module's docstring for how it is used and made wrong.

    It runs between `start` and `stop`, or as a context manager; stopped and started again it has the same address and
    still knows everybody. `stop` raises what a change of the test's own raised."""

    def __init__(self, *people: FakePerson, algorithm: Algorithm = "RS256", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(*people, algorithm=algorithm, tls=tls)
        self.admin = FakeAdmin(self)

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
        check_call(call)
        return self._behaviours.setdefault(call, Behaviour())

    def change_claims(self, change: Change | None, token: TokenKind = "id_token") -> None:  # noqa: S107 - no password
        """Change the claims of tokens before they are signed."""
        self._change("claims", token, change)

    def change_header(self, change: Change | None, token: TokenKind = "id_token") -> None:  # noqa: S107 - no password
        """Change the protected header of tokens before they are signed. The signature stays the key's own."""
        self._change("header", token, change)

    def change_answer(self, call: str, change: Change | None) -> None:
        """Change the JSON of the good answers of a call: `discovery`, `jwks`, `code`, `userinfo`, ..."""
        check_call(call)
        self._change("answer", call, change)

    def change_callback(self, change: Change | None) -> None:
        """Change the query with which the browser comes back: `code`, `state`, `iss`, `error`."""
        self._change("callback", "", change)

    def _change(self, kind: str, name: str, change: Change | None) -> None:
        if change is None:
            self._changes.pop((kind, name), None)
        else:
            self._changes[kind, name] = change

    def rotate(self, algorithm: Algorithm = "RS256", kid: str | None = None) -> SigningKey:
        """Sign with a new key from now on. The old ones are still published, until they are taken out of `keys`."""
        self.signing_key = SigningKey.generate(algorithm, kid)
        self.keys.append(self.signing_key)
        return self.signing_key

    def last(self, call: str) -> ReceivedRequest:
        """The newest request of a call."""
        check_call(call)
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

    async def logout(self, username: str) -> None:
        """End all sessions of a person and tell the client at `backchannel_logout_url`, one session after the other."""
        for session in self.sessions(username):
            await self._end(session)


async def _sent_to(url: str, session: httpx.AsyncClient | None) -> str:
    async with caller() as fresh:
        response = await (session or fresh).get(url)
    if not response.is_redirect:
        raise SignInFailed(response.text)
    return str(response.headers["location"])


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
