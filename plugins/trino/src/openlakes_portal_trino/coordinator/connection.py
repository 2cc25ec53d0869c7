"""Trino's client protocol (https://trino.io/docs/current/develop/client-protocol.html) by the official client's
request layer: it sends and reads each page; following them is ours, so that a page goes straight into Arrow.

`nextUri` is pinned: whatever host, port or scheme the server writes into it, the next request goes to the configured
address. Environment variables (proxies, certificate bundles) are not read. Blocking: use it in worker threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.auth
import trino.exceptions
from trino.client import ClientSession, TrinoRequest, TrinoStatus

from openlakes_portal.spi import UpstreamAuthFailed, UpstreamError, UpstreamUnavailable
from openlakes_portal_trino.coordinator.credentials import HeldCredential

STATEMENT = "/v1/statement/"
QUERY = "/v1/query/"
ENDED = ("FINISHED", "FAILED")


@dataclass(frozen=True)
class Server:
    """Where Trino is, and how it is asked."""

    address: str
    verify: Path | None
    timeout: float
    source: str


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

    def __init__(self, server: Server, credential: HeldCredential, catalog: str | None, schema: str | None) -> None:
        parts = urlsplit(server.address)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(server.verify) if server.verify else True
        self._session.auth = _Bearer(credential)
        self._timeout = server.timeout
        self._request = TrinoRequest(
            host=parts.hostname or "",
            port=parts.port or (443 if parts.scheme == "https" else 80),
            client_session=ClientSession(
                user=credential.user, catalog=catalog, schema=schema, source=server.source, timezone="UTC"
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
        words = str(error)
        if words.startswith(("error 401", "error 403")):
            raise UpstreamAuthFailed("Trino refused the sign-in of the portal for you.", upstream="trino") from error
        raise UpstreamError(f"Trino answered wrongly: {words[:200]}", upstream="trino") from error
    except ValueError as error:
        raise UpstreamError("Trino's answer is no JSON.", upstream="trino") from error


def rows_of(status: TrinoStatus) -> list[list[Any]]:
    """The rows of a page."""
    return list(status.rows or [])
