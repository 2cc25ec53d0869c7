"""What Superset says when it cannot, in the portal's words.

Superset has five shapes for it: `{"message": text}` or `{"message": {field: [text]}}` from its own API, `{"msg": text}`
from its token layer, `{"errors": [{"message", "error_type"}]}` from its newer errors, a web page, and a redirect to its
sign-in page.
"""

import json
from typing import Any, NoReturn

from openlakes_portal.spi import (
    Conflict,
    FieldError,
    InvalidInput,
    Limited,
    NotAllowed,
    NotFound,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamResponse,
    UpstreamUnavailable,
)

NAME = "Superset"
MOST = 500
"""Characters of Superset's words that are passed on."""
TRUST = (
    "Superset must trust the portal's tokens: its settings come from openlakes_portal_superset.upstream, with this "
    "portal's address and keys."
)


def read(answer: UpstreamResponse) -> dict[str, Any]:
    """The JSON object of a good answer. Raises the portal's errors for everything else."""
    if not 200 <= answer.status < 300:
        refuse(answer)
    try:
        body = json.loads(answer.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        kind = answer.headers.get("content-type", "nothing that says what it is").split(";")[0][:80]
        raise UpstreamError(
            f"{NAME} answered {kind} where JSON was expected.",
            upstream=NAME,
            upstream_status=answer.status,
            remedy="Check that plugins.superset.address is Superset itself, with its prefix, and not a sign-in page.",
        )
    return body


def refuse(answer: UpstreamResponse) -> NoReturn:
    """Raises what an answer that is none means."""
    status, said, fields = answer.status, *_said(answer)
    more = f": {said}" if said else "."
    if 300 <= status < 400:
        raise UpstreamAuthFailed(
            f"{NAME} sends to its own sign-in page instead of answering.",
            upstream=NAME,
            upstream_status=status,
            remedy=TRUST,
        )
    if status == 401 or (status == 422 and _is_token_layer(answer)):
        raise UpstreamAuthFailed(
            f"{NAME} does not take the portal's word for who you are{more}",
            upstream=NAME,
            upstream_status=status,
            remedy=f"{TRUST} A person none of whose roles is mapped there is refused too.",
        )
    if status == 403:
        raise NotAllowed(
            f"{NAME} does not let you do that{more}",
            remedy="Your role in Superset follows from your roles here; ask for another one, or the thing's owner.",
        )
    if status == 404:
        raise NotFound(f"{NAME} has no such thing, or none that you may see.")
    if status == 409:
        raise Conflict(f"{NAME} has it otherwise meanwhile{more}")
    if status in (400, 422):
        raise InvalidInput(f"{NAME} cannot use that{more}", errors=fields)
    if status == 429:
        wait = answer.headers.get("retry-after", "")
        raise Limited(f"{NAME} limits how often it is asked.", retry_after=float(wait) if wait.isdigit() else None)
    kind = UpstreamUnavailable if status in (502, 503, 504) else UpstreamError
    raise kind(
        f"{NAME} answered {status}{more}", upstream=NAME, upstream_status=status, remedy="Superset's own log says more."
    )


def _body(answer: UpstreamResponse) -> dict[str, Any]:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _is_token_layer(answer: UpstreamResponse) -> bool:
    return set(_body(answer)) == {"msg"}


def _said(answer: UpstreamResponse) -> tuple[str, tuple[FieldError, ...]]:
    """Superset's own words, and which fields they are about."""
    body = _body(answer)
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return _text(errors[0].get("message")), ()
    message = body.get("message", body.get("msg"))
    if not isinstance(message, dict):
        return _text(message), ()
    fields = tuple(
        FieldError(f"/{str(name)[:100].replace('~', '~0').replace('/', '~1')}", _text(words))
        for name, words in list(message.items())[:20]
    )
    return "; ".join(f"{field.pointer[1:]}: {field.detail}" for field in fields)[:MOST], fields


def _text(words: Any) -> str:
    if isinstance(words, list):
        words = " ".join(str(word) for word in words[:10])
    if not isinstance(words, str):
        return ""
    return " ".join(words.split())[:MOST]
