"""POST /api/tokens/exchange (RFC 8693): a form in, JSON out, errors as OAuth has them (RFC 6749, 5.2).

No session and no CSRF token: the subject token in the form is the proof. What no OAuth client has a code for (a foreign
page, too many requests) is the portal's usual problem.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import structlog
from pydantic_core import to_json
from starlette.responses import Response as StarletteResponse

from openlakes_portal._audit.record import Entry, clean
from openlakes_portal._host.portal import Portal
from openlakes_portal._http.limits import TokenBuckets
from openlakes_portal._http.own_page import check_own_page
from openlakes_portal._http.request import HttpRequest
from openlakes_portal.spi import BadRequest, NotFound, Principal, TooLarge

if TYPE_CHECKING:
    from openlakes_portal._auth.exchange.service import Asked, ExchangeRefused, Issued

PATH = "/api/tokens/exchange"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
SUBJECT_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
FORM = "application/x-www-form-urlencoded"
MAX_FORM = 32 * 1024
MAX_FIELDS = 20
REPEATABLE = ("audience", "resource")
MAX_SCOPE = 500
UNCACHED = {"cache-control": "no-store", "pragma": "no-cache"}

log = structlog.get_logger("token-exchange")


class TokenExchangeDocument:
    """The handler of this address."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        per_minute = portal.settings.limits.sign_in
        self.exchanges = TokenBuckets(per_minute / 60, per_minute)

    async def exchange(self, request: HttpRequest) -> StarletteResponse:
        """A token of a service account for one of another platform."""
        service = self._portal.token_exchange
        if service is None:
            raise NotFound("There is nothing at this address.", remedy="Rules are set in auth.token_exchange.rules.")
        check_own_page(request, self._portal.settings)
        self.exchanges.take(request.address)
        from openlakes_portal._auth.exchange.service import ExchangeRefused
        from openlakes_portal._auth.oidc.errors import ProviderMisconfigured, ProviderUnavailable

        try:
            issued = await service.exchange(self._asked(await _form(request)))
        except ExchangeRefused as refusal:
            await self._record_refusal(request, refusal)
            return _error(400, refusal.error, refusal.words, request.id)
        except (ProviderUnavailable, ProviderMisconfigured) as error:
            log.error("a subject token cannot be verified", reason=error.detail, remedy=error.remedy)
            words = "The token's issuer cannot be asked for its keys now. Try again; the portal's log says more."
            return _error(503, "temporarily_unavailable", words, request.id)
        await self._record(request, issued, service.principal(issued))
        return _answer(200, _token_answer(issued))

    def _asked(self, form: list[tuple[str, str]]) -> "Asked":
        from openlakes_portal._auth.exchange.service import Asked

        fields = {name: value for name, value in form if value}  # empty is as if it were not there (RFC 6749, 3.2)
        twice = [name for name, count in Counter(name for name, _ in form).items() if count > 1]
        if any(name not in REPEATABLE for name in twice):
            raise _malformed(f"A parameter stands twice: {twice[0][:40]!r}.")
        if fields.get("grant_type") != GRANT:
            raise _refusal("unsupported_grant_type", f"The grant_type must be {GRANT}.")
        if "actor_token" in fields or "actor_token_type" in fields:
            raise _malformed("Nobody acts for anybody here: actor_token is not taken.")
        if fields.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise _malformed(f"The requested_token_type can be {ACCESS_TOKEN} only.")
        if fields.get("subject_token_type") not in SUBJECT_TYPES:
            raise _malformed(f"The subject_token_type must be one of {', '.join(SUBJECT_TYPES)}.")
        own = self._portal.settings.server.public_url
        if any(value.rstrip("/") != own for name, value in form if name in REPEATABLE and value):
            raise _refusal("invalid_target", f"Tokens are given for {own} only.")
        if "subject_token" not in fields:
            raise _malformed("The subject_token is missing.")
        scope = fields["scope"].split(" ") if "scope" in fields else None
        if scope is not None and (not all(scope) or len(scope) > MAX_SCOPE):
            raise _refusal("invalid_scope", "The scope is a list of permissions with one space between them.")
        return Asked(fields["subject_token"], tuple(dict.fromkeys(scope)) if scope is not None else None)

    async def _record(self, request: HttpRequest, issued: "Issued", principal: Principal) -> None:
        details = {"rule": issued.rule, **_claimed(issued.claims), "token": issued.token.id}
        entry = Entry("core.token.exchanged", request.id, principal, issued.token.id, request.address, details)
        await self._portal.audit.write(entry, "event", "ok")

    async def _record_refusal(self, request: HttpRequest, refusal: "ExchangeRefused") -> None:
        details = {"why": refusal.why, "error": refusal.error, "rule": refusal.rule, **_claimed(refusal.claims)}
        if refusal.claims:
            details["verified"] = "yes" if refusal.verified else "no"
        cleaned = {name: clean(value) for name, value in details.items() if value}
        log.warning("token exchange refused", **cleaned)
        entry = Entry("core.token.exchange-refused", request.id, None, refusal.rule, request.address, cleaned)
        await self._portal.audit.write(entry, "event", "refused")


async def _form(request: HttpRequest) -> list[tuple[str, str]]:
    kind = (request.headers.get("content-type") or "").split(";")[0].strip().lower()
    if kind != FORM:
        raise _malformed(f"The request is a form ({FORM}).")
    request.body_limit = MAX_FORM
    try:
        return parse_qsl((await request.body()).decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except TooLarge:
        raise _malformed(f"The form is larger than {MAX_FORM} bytes.") from None
    except (ValueError, BadRequest):
        raise _malformed("The form cannot be read.") from None


def _malformed(words: str) -> "ExchangeRefused":
    return _refusal("invalid_request", words)


def _refusal(error: str, words: str) -> "ExchangeRefused":
    from openlakes_portal._auth.exchange.service import ExchangeRefused

    return ExchangeRefused(error, words, words)


def _claimed(claims: dict[str, Any]) -> dict[str, str]:
    """Issuer, subject and number of a token, as far as they are text."""
    named = {"issuer": "iss", "subject": "sub", "jti": "jti"}
    return {name: value for name, key in named.items() if isinstance(value := claims.get(key), str)}


def _token_answer(issued: "Issued") -> dict[str, Any]:
    token = issued.token
    return {
        "access_token": issued.text,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": round((token.expires_at - token.created_at).total_seconds()),
        "scope": " ".join(token.permissions),
    }


def _error(status: int, error: str, words: str, request_id: str) -> StarletteResponse:
    return _answer(status, {"error": error, "error_description": words, "request_id": request_id})


def _answer(status: int, value: dict[str, Any]) -> StarletteResponse:
    return StarletteResponse(to_json(value), status, UNCACHED, "application/json")
