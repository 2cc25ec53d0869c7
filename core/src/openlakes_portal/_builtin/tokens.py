"""API tokens: made, seen and revoked by their owners; seen and revoked by who may for everybody."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import ColumnElement

from openlakes_portal._auth.api_tokens import ApiToken
from openlakes_portal._auth.api_tokens import NewToken as Wanted
from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.views import Body, Name, Paging
from openlakes_portal._rbac.policy import Identity, holds_somewhere, identity_of
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import api_tokens as table
from openlakes_portal.spi import (
    BadRequest,
    FieldError,
    InvalidInput,
    Listing,
    NotAllowed,
    NotFound,
    Principal,
    Reply,
    Request,
    Route,
    SignedIn,
)

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

OWN = SignedIn("one's own tokens; everybody's with core:token:manage")
MAX_CURSOR = 64


class TokenView(BaseModel):
    """A token without its text; `hint` is how it ends."""

    id: str
    name: str
    hint: str
    username: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime
    expired: bool
    last_used_at: datetime | None
    last_used_address: str | None


class NewTokenView(TokenView):
    """A token that was made just now, with its text this once."""

    token: str


class NewToken(Body):
    """What the token is for, what it may, and until when."""

    name: Name
    permissions: list[Name] = Field(min_length=1, max_length=500)
    expires_at: AwareDatetime


class TokenFilter(Paging):
    """Which tokens."""

    all: bool = Field(False, description="Everybody's")
    username: str | None = Field(None, max_length=300, description="Those of this person")


def token_routes(portal: "Portal") -> list[Route]:
    """Below /api/tokens."""

    async def create_token(request: Request, body: NewToken) -> Reply[NewTokenView]:
        """Make a token for scripts; its text is shown this once"""
        principal = request.principal
        in_person(principal)
        check_new(portal, principal, body, "you hold")
        owner, by = identity_of(principal), principal.identity
        view = made(*await portal.api_tokens.create(Wanted(owner, body.name, body.permissions, body.expires_at, by)))
        request.record(after=view.model_dump(exclude={"token"}))
        return Reply(view, 201, location=f"/api/tokens/{view.id}")

    async def list_tokens(request: Request, query: TokenFilter) -> Listing[TokenView]:
        """Tokens that are not revoked, newest first"""
        return await token_page(portal, _whose(request.principal, query.username, everybody=query.all), query)

    async def revoke_token(request: Request) -> None:
        """Refuse a token from now on"""
        principal = request.principal
        in_person(principal)
        condition = table.c.id == request.path("token")
        if may_do.TOKENS.name not in principal.permissions:
            condition = condition & is_of(identity_of(principal))
        if not await portal.api_tokens.revoke(condition):
            raise NotFound("There is no such token.", remedy="It may be revoked already.")

    return [
        Route(
            "POST",
            "tokens",
            create_token,
            OWN,
            status=201,
            audit="core.token.create",
            audit_object="name",
            shown_once=True,
        ),
        Route("GET", "tokens", list_tokens, OWN),
        Route("DELETE", "tokens/{token}", revoke_token, OWN, audit="core.token.revoke", audit_object="token"),
    ]


def in_person(principal: Principal) -> None:
    """Raises `NotAllowed` for a request of a token: it makes no tokens and ends no sessions, so that a stolen one gains
    its thief nothing that outlives it."""
    if principal.limit is not None:
        raise NotAllowed("An API token cannot do this.", remedy="Sign in and do it in person.")


def check_new(portal: "Portal", owner: Principal, body: NewToken, held: str) -> None:
    """Raises `InvalidInput` for permissions that the owner does not hold (`held` says so), and for a wrong end."""
    known = portal.registry.permissions
    errors = [
        FieldError(f"/permissions/{number}", f"is none that {held}")
        for number, name in enumerate(body.permissions)
        if name not in known or not holds_somewhere(owner, known[name])
    ]
    longest = timedelta(seconds=portal.settings.auth.tokens.max_lifetime)
    if body.expires_at <= now():
        errors.append(FieldError("/expires_at", "is past"))
    elif body.expires_at > now() + longest + timedelta(minutes=1):
        errors.append(FieldError("/expires_at", f"is more than {longest.days} days away (auth.tokens.max_lifetime)"))
    if errors:
        raise InvalidInput("The token cannot be made like this.", errors=tuple(errors))


def is_of(owner: Identity) -> ColumnElement[bool]:
    """The tokens of this owner."""
    return (table.c.issuer == owner.issuer) & (table.c.subject == owner.subject)


async def token_page(portal: "Portal", condition: ColumnElement[bool], query: Paging) -> Listing[TokenView]:
    """A page of tokens that are not revoked, newest first."""
    if query.cursor is not None:
        if len(query.cursor) > MAX_CURSOR or not query.cursor.isalnum():
            raise BadRequest("The cursor is none of ours.")
        condition = condition & (table.c.id < query.cursor)
    found, following = await portal.api_tokens.page(condition, limit=query.limit)
    return Listing([_view(token) for token in found], following)


def made(text: str, token: ApiToken) -> NewTokenView:
    """A token that was made just now."""
    return NewTokenView(**_view(token).model_dump(), token=text)


def _whose(principal: Principal, username: str | None, *, everybody: bool) -> ColumnElement[bool]:
    if not everybody and username in (None, principal.username):
        return is_of(identity_of(principal))
    if may_do.TOKENS.name not in principal.permissions:
        raise NotAllowed("You may see your own tokens only.", permission=may_do.TOKENS.name)
    return table.c.username == username if username is not None else table.c.id != ""


def _view(token: ApiToken) -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        hint=token.hint,
        username=token.username,
        permissions=list(token.permissions),
        created_at=token.created_at,
        expires_at=token.expires_at,
        expired=token.expires_at <= now(),
        last_used_at=token.last_used_at,
        last_used_address=token.last_used_address,
    )
