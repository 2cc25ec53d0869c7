"""One shape of error: `application/problem+json` (RFC 9457) with the request id and, where it helps, a remedy."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from openlakes_portal._http.response import Response
from openlakes_portal.spi import (
    FieldError,
    InvalidInput,
    Limited,
    NotAllowed,
    NotSignedIn,
    PortalError,
    Unavailable,
    UpstreamError,
)

MEDIA_TYPE = "application/problem+json"


class MethodNotAllowed(PortalError):
    """The path exists, the method does not."""

    status = 405
    title = "Method not allowed"

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method[:20]} is not answered here; {', '.join(allowed)} is.")
        self.allowed = allowed


class RequestTimeout(PortalError):
    """The body did not come in time."""

    status = 408
    title = "The request took too long to arrive"


class EndpointTimeout(PortalError):
    """The endpoint did not answer within `limits.request_timeout`."""

    status = 504
    title = "It took too long"


class UnsupportedMedia(PortalError):
    """The body is of a media type that is not read here."""

    status = 415
    title = "Unsupported media type"


class HeadersTooLarge(PortalError):
    """Too many or too large headers (RFC 6585)."""

    status = 431
    title = "Headers too large"


class MisdirectedRequest(PortalError):
    """The Host header names nobody here."""

    status = 421
    title = "Not this host"


class NotAcceptable(PortalError):
    """None of the media types that the client accepts can be had."""

    status = 406
    title = "Not acceptable"


def problem(error: PortalError, request_id: str, more: Mapping[str, Any] | None = None) -> Response:
    """An error as an answer; `more` are further members."""
    body: dict[str, Any] = {
        "type": f"urn:openlakes:problem:{_slug(type(error).__name__)}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "request_id": request_id,
    }
    if error.remedy:
        body["remedy"] = error.remedy
    if error.errors:
        body["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in error.errors]
    headers = {"content-type": MEDIA_TYPE}
    if isinstance(error, NotAllowed) and error.permission:
        body["permission"] = error.permission
    body |= more or {}
    if isinstance(error, UpstreamError) and error.upstream:
        body["upstream"] = error.upstream
    if isinstance(error, Limited | Unavailable) and error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    if isinstance(error, NotSignedIn):
        headers["www-authenticate"] = "Bearer"  # RFC 9110, 15.5.2; browsers ask nobody for this kind
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = ", ".join(error.allowed)
    return Response(error.status, to_json(body), headers)


def internal_problem(request_id: str) -> Response:
    """What a fault of ours looks like from outside: nothing but its number."""
    error = PortalError(
        "Something failed in the portal. The log has it under this request id.",
        remedy="Try again; if it stays, give the request id to the people who run this portal.",
    )
    return problem(error, request_id)


def invalid(error: ValidationError, prefix: str = "") -> InvalidInput:
    """A pydantic error as `InvalidInput` with JSON pointers; the values that were sent are not repeated."""
    fields = tuple(
        FieldError(
            prefix + "".join(f"/{str(p).replace('~', '~0').replace('/', '~1')}" for p in item["loc"]),
            item["msg"].removeprefix("Value error, "),
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)[:50]
    )
    if len(fields) == 1:
        return InvalidInput(f"{fields[0].pointer or 'The body'}: {fields[0].detail}.", errors=fields)
    return InvalidInput(f"{len(fields)} fields are wrong.", errors=fields)


def _slug(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
