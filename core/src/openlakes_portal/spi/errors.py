"""The one vocabulary of errors: what a plugin raises, and what core turns into one problem shape (RFC 9457).

Every message says what happened, to what, and what to do next; `remedy` holds the last part when it is more than a
phrase. Nothing else than these may carry words to a person: any other exception becomes a 500 whose text stays in the
log, found again by its request id.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One wrong field: `pointer` is a JSON pointer (RFC 6901) into the body, `detail` says what would be right."""

    pointer: str
    detail: str


class PortalError(Exception):
    """Base of the vocabulary. Raise one of its subclasses."""

    status = 500
    title = "Internal error"

    def __init__(self, detail: str, *, remedy: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        self.errors = errors


class InvalidInput(PortalError):
    """What was sent cannot be used (400, or 422 by `status` of a subclass): `errors` points at the fields."""

    status = 422
    title = "Invalid input"


class BadRequest(PortalError):
    """The request itself is malformed: not JSON, a bad cursor, a header out of its grammar."""

    status = 400
    title = "Bad request"


class NotSignedIn(PortalError):
    """Nobody is signed in, and the route needs somebody."""

    status = 401
    title = "Sign in first"


class NotAllowed(PortalError):
    """The person is known and may not; `permission` names what is missing (and `resource` for what), so that it can be
    asked for. Core adds which rule said so and who can grant it."""

    status = 403
    title = "Not allowed"

    def __init__(
        self, detail: str, *, permission: str | None = None, resource: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(detail, remedy=remedy)
        self.permission = permission
        self.resource = resource


class NotFound(PortalError):
    """No such thing, or none that this person may see: the two answers are the same to the byte."""

    status = 404
    title = "Not found"


class Conflict(PortalError):
    """Somebody else changed it meanwhile, or it exists already."""

    status = 409
    title = "Conflict"


class PreconditionFailed(PortalError):
    """`If-Match` names a version that is no longer the current one."""

    status = 412
    title = "Changed meanwhile"


class TooLarge(PortalError):
    """The body is over its limit."""

    status = 413
    title = "Too large"


class Limited(PortalError):
    """A limit of rate, number or size was reached; `retry_after` is in seconds."""

    status = 429
    title = "Limit reached"

    def __init__(self, detail: str, *, retry_after: float | None = None, remedy: str | None = None) -> None:
        super().__init__(detail, remedy=remedy)
        self.retry_after = retry_after


class Unavailable(PortalError):
    """The portal itself cannot do it now (its database, its audit log, its start)."""

    status = 503
    title = "Not available now"

    def __init__(self, detail: str, *, retry_after: float | None = 5.0, remedy: str | None = None) -> None:
        super().__init__(detail, remedy=remedy)
        self.retry_after = retry_after


class UpstreamError(PortalError):
    """An upstream answered in a way that cannot be used: wrong status, not JSON, truncated, too large."""

    status = 502
    title = "The upstream system answered wrongly"

    def __init__(
        self, detail: str, *, upstream: str = "", upstream_status: int | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(detail, remedy=remedy)
        self.upstream = upstream
        self.upstream_status = upstream_status


class UpstreamAnswerTooLarge(UpstreamError):
    """An upstream's answer is over the limit of bytes; the rest of it was not read."""


class UpstreamUnavailable(UpstreamError):
    """An upstream cannot be reached: refused, reset, timed out, name not found, circuit open."""

    status = 503
    title = "The upstream system cannot be reached"


class UpstreamAuthFailed(UpstreamError):
    """An upstream refused the credential that the portal presented for this person."""

    status = 502
    title = "The upstream system refused the sign-in"
