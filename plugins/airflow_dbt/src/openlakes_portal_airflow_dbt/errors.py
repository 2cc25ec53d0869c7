"""Airflow's refusals in words.

Airflow answers `{"detail": ...}`, where `detail` is a text, a list of wrong fields (422), or an object (a row that is
there already, 409). What stands before it (a proxy, a sign-in page, another program) answers anything.
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
    PortalError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamResponse,
    UpstreamUnavailable,
)

NAME = "airflow"
TRUST = (
    "Compare Airflow's [openlakes_portal] issuer, audience and jwks_url with the portal's public address: "
    "docs/operators/airflow.md."
)
MOST = 500
"""Characters of a text of Airflow's that are passed on."""


def refuse(answer: UpstreamResponse, what: str) -> NoReturn:
    """Raise what an answer other than 2xx means; `what` was asked for, in words that follow "Airflow"."""
    raise refusal(answer, what)


def refusal(answer: UpstreamResponse, what: str) -> PortalError:
    """What an answer other than 2xx means."""
    status, detail = answer.status, _detail(answer)
    said = f": {detail}" if detail else "."
    match status:
        case 401:
            words = f"Airflow does not accept the portal's token{said}"
            return UpstreamAuthFailed(words, upstream=NAME, upstream_status=status, remedy=TRUST)
        case 403 if detail == "Invalid JWT token":
            words = "Airflow does not believe the portal's token."
            return UpstreamAuthFailed(words, upstream=NAME, upstream_status=status, remedy=TRUST)
        case 403:
            return NotAllowed(
                f"Airflow does not let you {what}{said}",
                remedy="Airflow decides by your roles: ask an admin which of them opens what there.",
            )
        case 404:
            return NotFound(f"Airflow has no such thing, or none that you may see ({what}){said}")
        case 409:
            return Conflict(f"Airflow has that already, or it is in that state already ({what}){said}")
        case 400 | 422:
            return InvalidInput(f"Airflow does not take this ({what}){said}", errors=_fields(answer))
        case 429:
            after = answer.headers.get("retry-after", "")
            return Limited("Airflow limits the rate of calls.", retry_after=float(after) if after.isdigit() else None)
        case 502 | 503 | 504:
            words = f"Airflow cannot answer now ({status}){said}"
            return UpstreamUnavailable(words, upstream=NAME, upstream_status=status, remedy="See its health.")
        case _ if 300 <= status < 400:
            return UpstreamError(
                f"Airflow's address redirects ({status}) where an answer was expected.",
                upstream=NAME,
                upstream_status=status,
                remedy="Set plugins.airflow_dbt.address to the API server itself, not to a sign-in page before it.",
            )
        case _:
            words = f"Airflow failed ({status}){said}"
            remedy = "See the API server's own log."
            return UpstreamError(words, upstream=NAME, upstream_status=status, remedy=remedy)


def unreadable(answer: UpstreamResponse) -> UpstreamError:
    """An answer that is not what Airflow 3 answers."""
    kind = answer.headers.get("content-type", "no content type")[:80]
    return UpstreamError(
        f"Airflow's address answered {answer.status} with {kind}, and not as Airflow 3 does.",
        upstream=NAME,
        upstream_status=answer.status,
        remedy="Check that plugins.airflow_dbt.address is the API server of an Airflow 3.",
    )


def too_old(version: str) -> UpstreamError:
    """An Airflow 2."""
    return UpstreamError(
        f"This is Airflow {version}; the portal works with Airflow 3, whose API is another.",
        upstream=NAME,
        remedy="Upgrade it (airflow.apache.org: Upgrading to Airflow 3), or take plugins.airflow_dbt.address away.",
    )


def _body(answer: UpstreamResponse) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:
        return None


def _detail(answer: UpstreamResponse) -> str:
    """The reason as one line of text; nothing where there is none that is Airflow's."""
    body = _body(answer)
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, dict):
        # A row that is there already: {"reason": ..., "statement": ..., "orig_error": ...}. Its SQL is nobody's
        # business.
        detail = detail.get("reason") or detail.get("message")
    if isinstance(detail, list):
        detail = "; ".join(f"{error.pointer}: {error.detail}" for error in _fields(answer))
    return " ".join(detail.split())[:MOST] if isinstance(detail, str) else ""


def _fields(answer: UpstreamResponse) -> tuple[FieldError, ...]:
    """The wrong fields of a 422, by where they stand in what was sent."""
    body = _body(answer)
    detail = body.get("detail") if isinstance(body, dict) else None
    if not isinstance(detail, list):
        return ()
    return tuple(
        FieldError(
            "/" + "/".join(str(part) for part in one.get("loc", ())[1:]), str(one.get("msg", "not valid"))[:MOST]
        )
        for one in detail[:20]
        if isinstance(one, dict)
    )
