"""Trino's client protocol (https://trino.io/docs/current/develop/client-protocol.html) by the official client's
request layer: it sends and reads each page; following them is ours, so that a page goes straight into Arrow.

`nextUri` is pinned: whatever host, port or scheme the server writes into it, the next request goes to the configured
address. Environment variables (proxies, certificate bundles) are not read. Blocking: use it in worker threads.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.auth
import trino.exceptions
import urllib3.exceptions
from trino.client import ClientSession, TrinoRequest, TrinoStatus

from openlakes_portal.spi import UpstreamAuthFailed, UpstreamError, UpstreamUnavailable
from openlakes_portal_trino.coordinator.credentials import HeldCredential

STATEMENT = "/v1/statement/"
QUERY = "/v1/query/"
ENDED = ("FINISHED", "FAILED")
STATUS = re.compile(r"error (\d{3})\b")
READ = 256 * 1024
MOST_BYTES = 160 * 1024 * 1024
"""Of one page; Trino's own are up to 128 MiB where it is told to make them that large."""
PATIENCE = 6
"""A page may take so many times what one call may be silent."""


@dataclass(frozen=True)
class Server:
    """Where Trino is, and how it is asked."""

    address: str
    verify: Path | None
    timeout: float
    source: str


class _BoundedSession(requests.Session):
    """Reads each answer to its end within a deadline and a size: by itself requests waits for ever on one that drips,
    and keeps whatever comes."""

    def __init__(self, within: float) -> None:
        super().__init__()
        self._within = within

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """The answer, read."""
        response = super().send(request, **{**options, "stream": True})
        with response:
            body = self._read(response.raw)
        # As `Response.content` keeps it; there is no other way to hand a body over.
        response._content = body
        return response

    def _read(self, raw: Any) -> bytes:
        deadline, parts, size = time.monotonic() + self._within, [], 0
        try:
            while part := raw.read1(READ, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise UpstreamError(f"Trino answered with more than {MOST_BYTES} bytes at once.", upstream="trino")
                if time.monotonic() > deadline:
                    raise UpstreamUnavailable(
                        f"Trino did not end its answer within {self._within:g} s.",
                        upstream="trino",
                        remedy="Try again.",
                    )
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error
        return b"".join(parts)


class _Bearer(requests.auth.AuthBase):
    """Puts the token that is good now on each request."""

    def __init__(self, credential: HeldCredential) -> None:
        self._credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        bearer = self._credential.bearer()
        if bearer is not None:
            request.headers["Authorization"] = f"Bearer {bearer.get_secret_value()}"
        return request


class Connection:
    """One person's statement at the server."""

    def __init__(
        self,
        server: Server,
        credential: HeldCredential,
        catalog: str | None,
        schema: str | None,
        session: Mapping[str, str],
    ) -> None:
        parts = urlsplit(server.address)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._session = _BoundedSession(PATIENCE * server.timeout)
        self._session.trust_env = False
        self._session.verify = str(server.verify) if server.verify else True
        self._session.auth = _Bearer(credential)
        self._timeout = server.timeout
        self._request = TrinoRequest(
            host=parts.hostname or "",
            port=parts.port or (443 if parts.scheme == "https" else 80),
            client_session=ClientSession(
                user=credential.user,
                catalog=catalog,
                schema=schema,
                source=server.source,
                properties=dict(session),
                timezone="UTC",
            ),
            http_session=self._session,
            http_scheme=parts.scheme,
            request_timeout=server.timeout,
        )

    def begin(self, sql: str) -> TrinoStatus:
        """Send the statement; the first page."""
        with _translated():
            return self._request.process(self._request.post(sql))

    def follow(self, next_uri: str) -> TrinoStatus:
        """The next page."""
        with _translated():
            return self._request.process(self._request.get(self._pinned(next_uri)))

    def cancel(self, next_uri: str) -> None:
        """Ask Trino to end the statement."""
        with _translated():
            self._request.delete(self._pinned(next_uri))

    def has_ended(self, query_id: str) -> bool:
        """Whether Trino itself says that the query is over (or knows it no more)."""
        with _translated():
            answer = self._session.get(self._origin + QUERY + query_id, timeout=self._timeout)
        if answer.status_code in (404, 410):
            return True
        if answer.status_code != 200:
            raise UpstreamError(f"Trino answered {answer.status_code} about query {query_id}.", upstream="trino")
        return answer.json().get("state") in ENDED

    def close(self) -> None:
        """Let the connection go."""
        self._session.close()

    def _pinned(self, uri: str) -> str:
        parts = urlsplit(uri)
        if not parts.path.startswith(STATEMENT) or parts.query:
            raise UpstreamError("Trino named a next page that is none of its statement's.", upstream="trino")
        return self._origin + parts.path


@contextmanager
def _translated() -> Iterator[None]:
    """The client's errors in the SPI's vocabulary; errors of the statement itself stay what they are."""
    try:
        yield
    except (requests.ConnectionError, requests.Timeout, trino.exceptions.TrinoConnectionError) as error:
        raise UpstreamUnavailable(
            f"Trino cannot be reached ({type(error).__name__}).", upstream="trino", remedy="See its health."
        ) from error
    except (trino.exceptions.Http502Error, trino.exceptions.Http503Error, trino.exceptions.Http504Error) as error:
        raise UpstreamUnavailable("Trino does not answer now.", upstream="trino", remedy="Try again.") from error
    except trino.exceptions.HttpError as error:
        # Its words hold the answer's body, and with it whatever a proxy or a stack trace shows of the server.
        status = STATUS.match(str(error))
        if status is not None and status[1] in ("401", "403"):
            raise UpstreamAuthFailed("Trino refused the sign-in of the portal for you.", upstream="trino") from error
        told = f"Trino answered {status[1]}." if status is not None else "Trino answered wrongly."
        raise UpstreamError(told, upstream="trino", remedy="See Trino's own log.") from error
    except ValueError as error:
        raise UpstreamError("Trino's answer is no JSON.", upstream="trino") from error


def rows_of(status: TrinoStatus) -> list[list[Any]]:
    """The rows of a page."""
    return list(status.rows or [])
