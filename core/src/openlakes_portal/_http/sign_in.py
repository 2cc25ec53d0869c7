"""The addresses of signing in and out: /auth/login, /auth/callback, /auth/demo, /auth/logout, /auth/backchannel-logout.

Answers to a browser that came by a link are pages: the shell, with what went wrong in it.
"""

import secrets
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json
from starlette.responses import Response as StarletteResponse

from openlakes_portal._audit.record import Entry, clean
from openlakes_portal._auth.guard import check_csrf, check_media_type
from openlakes_portal._auth.oidc.errors import SignInRefused
from openlakes_portal._auth.oidc.sign_in import COOKIE as SIGN_IN_COOKIE
from openlakes_portal._auth.oidc.sign_in import safe_next
from openlakes_portal._auth.personas import PERSONAS, identity_of
from openlakes_portal._auth.sessions import COOKIE, Origin, Session
from openlakes_portal._host.portal import Portal
from openlakes_portal._http.bootstrap import session_view
from openlakes_portal._http.limits import TokenBuckets
from openlakes_portal._http.own_page import check_own_page
from openlakes_portal._http.problems import invalid, problem
from openlakes_portal._http.request import HttpRequest
from openlakes_portal._http.shell import Shell
from openlakes_portal.spi import BadRequest, NotAllowed, NotFound, NotSignedIn, PortalError

SIGN_IN_SECONDS = 600
MAX_LOGOUT_TOKEN = 64 * 1024


class DemoSignIn(BaseModel):
    """The body of POST /auth/demo."""

    model_config = ConfigDict(extra="forbid")

    persona: str


class SignInDocuments:
    """Handlers of these addresses."""

    def __init__(self, portal: Portal, shell: Shell) -> None:
        self._portal = portal
        self._shell = shell
        per_minute = portal.settings.limits.sign_in
        self.sign_ins = TokenBuckets(per_minute / 60, per_minute)

    async def login(self, request: HttpRequest) -> StarletteResponse:
        """On to the provider at once; in demo mode to the page of personas."""
        target = safe_next(request.query("next", default="/"))
        oidc = self._portal.oidc
        if oidc is None:
            return _redirect("/signin" if target == "/" else f"/signin?next={_quoted(target)}")
        try:
            self.sign_ins.take(request.address)
            browser = request.cookie(SIGN_IN_COOKIE) or secrets.token_urlsafe(32)
            url = await oidc.sign_ins.begin(target, browser, silent=request.query("prompt", default="") == "none")
        except PortalError as error:
            return self._failed(request, error)
        return _redirect(url, _cookie(SIGN_IN_COOKIE, browser, SIGN_IN_SECONDS))

    async def callback(self, request: HttpRequest) -> StarletteResponse:
        """Back from the provider: a new session, or a page that says why not."""
        oidc = self._portal.oidc
        if oidc is None:
            raise NotFound("There is nothing at this address.")
        try:
            self.sign_ins.take(request.address)
            found = await oidc.finish(self._query(request), request.cookie(SIGN_IN_COOKIE))
            ends = None if found.grant.refresh_token else found.grant.expires_at
            secret, session = await self._portal.sessions.create(
                found.identity, _origin(request), found.grant, found.provider_session, ends
            )
        except PortalError as error:
            await self._record_refusal(request, error)
            return self._failed(request, error)
        await self._replace(request, session)
        return _redirect(found.next, _cookie(COOKIE, secret, self._age(session)))

    async def demo(self, request: HttpRequest) -> StarletteResponse:
        """Sign in as a persona."""
        if self._portal.settings.auth.mode != "demo":
            raise NotFound("There is nothing at this address.")
        check_own_page(request, self._portal.settings)
        check_media_type(request.headers.get("content-type"))
        self.sign_ins.take(request.address)
        try:
            wanted = DemoSignIn.model_validate_json(await request.body())
        except ValidationError as error:
            raise invalid(error) from None
        persona = next((p for p in PERSONAS if p.id == wanted.persona), None)
        if persona is None:
            raise NotFound(
                "There is no such persona.", remedy="Personas are: " + ", ".join(p.id for p in PERSONAS) + "."
            )
        try:
            secret, session = await self._portal.sessions.create(identity_of(persona), _origin(request))
        except PortalError as error:
            await self._record_refusal(request, error)
            raise
        await self._replace(request, session)
        answer = StarletteResponse(to_json(session_view(session)), media_type="application/json")
        answer.headers["set-cookie"] = _cookie(COOKIE, secret, self._age(session))
        return answer

    async def logout(self, request: HttpRequest) -> StarletteResponse:
        """Sign out here and at the provider. Where the browser has to go there for its own session, the answer names
        the address."""
        check_own_page(request, self._portal.settings)
        if request.session is None:
            raise NotSignedIn("Nobody is signed in.")
        if request.session.by_token:
            raise NotAllowed("An API token cannot do this.", remedy="Sign in and do it in person.")
        check_csrf(request.headers.get("x-csrf-token"), request.session.csrf_token)
        check_media_type(request.headers.get("content-type"))
        await self._record("core.session.ended", request, request.session)
        oidc = self._portal.oidc
        onward = await oidc.sign_out(request.session) if oidc is not None else None
        await self._portal.sessions.end(request.session)
        headers = {"set-cookie": _cookie(COOKIE, "", 0), "clear-site-data": '"cache"'}
        if onward is None:
            return StarletteResponse(status_code=204, headers=headers)
        return StarletteResponse(to_json({"location": onward}), headers=headers, media_type="application/json")

    async def back_channel_logout(self, request: HttpRequest) -> StarletteResponse:
        """The provider says that a sign-in is over (OpenID Connect Back-Channel Logout 1.0, 2.5): 200, or 400."""
        if self._portal.oidc is None:
            raise NotFound("There is nothing at this address.")
        check_own_page(request, self._portal.settings)
        kind = (request.headers.get("content-type") or "").split(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadRequest("A logout token comes in a form (application/x-www-form-urlencoded).")
        request.body_limit = MAX_LOGOUT_TOKEN
        try:
            fields = parse_qsl((await request.body()).decode("ascii"), max_num_fields=10)
        except ValueError:
            raise BadRequest("The form cannot be read.") from None
        tokens = [value for name, value in fields if name == "logout_token"]
        if len(tokens) != 1:
            raise BadRequest("The form must hold one logout_token.")
        for session in await self._portal.oidc.back_channel_logout(tokens[0]):
            entry = Entry("core.session.ended", request.id, session.principal, session.public_id, request.address)
            await self._portal.audit.write(entry, "event", "by the identity provider")
        return StarletteResponse(status_code=200)

    async def _replace(self, request: HttpRequest, session: Session) -> None:
        """Nothing of the session before outlives a sign-in. An API token in the request is none."""
        if request.session is not None and not request.session.by_token:
            await self._portal.sessions.end(request.session)
        await self._record("core.session.started", request, session)

    async def _record(self, action: str, request: HttpRequest, session: Session) -> None:
        entry = Entry(action, request.id, session.principal, session.public_id, request.address)
        await self._portal.audit.write(entry, "event", "ok")

    async def _record_refusal(self, request: HttpRequest, error: PortalError) -> None:
        if isinstance(error, SignInRefused | NotAllowed):
            entry = Entry("core.session.refused", request.id, None, "", request.address, {"why": error.detail})
            await self._portal.audit.write(entry, "event", "refused")

    def _query(self, request: HttpRequest) -> dict[str, str]:
        """Parameters of the callback; one that stands twice is nobody's."""
        pairs = request.query_params.multi_items()
        if len({name for name, _ in pairs}) != len(pairs) or len(pairs) > 20:
            raise SignInRefused("The callback names a parameter twice.", remedy="Sign in again.")
        return dict(pairs)

    def _failed(self, request: HttpRequest, error: PortalError) -> StarletteResponse:
        answer = problem(error, request.id)
        if request.accepts("application/problem+json", "text/html") == "text/html":
            page = self._shell.document(error.status, answer.body.decode())
            page.headers.update({k: v for k, v in answer.headers.items() if k == "retry-after"})
            return page
        return StarletteResponse(answer.body, answer.status, answer.headers)

    def _age(self, session: Session) -> int:
        return int((session.expires_at - session.created_at).total_seconds())


def _origin(request: HttpRequest) -> Origin:
    agent = request.headers.get("user-agent")
    return Origin(request.address, clean(agent, 300) if agent else None)


def _redirect(target: str, cookie: str | None = None) -> StarletteResponse:
    headers = {"location": target, "referrer-policy": "no-referrer"}
    if cookie is not None:
        headers["set-cookie"] = cookie
    return StarletteResponse(status_code=303, headers=headers)


def _cookie(name: str, secret: str, max_age: int) -> str:
    return f"{name}={secret}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax"


def _quoted(target: str) -> str:
    from urllib.parse import quote

    return quote(target, safe="")
