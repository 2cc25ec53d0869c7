"""Trino's client protocol (https://trino.io/docs/current/develop/client-protocol.html) by the official client's
request layer: it sends and reads each page; following them is ours, so that a page goes straight into Arrow.

`nextUri` is pinned: whatever host, port or scheme the server writes into it, the next request goes to the configured
address. Environment variables (proxies, certificate bundles) are not read. Blocking: use it in worker threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.auth
from trino.client import ClientSession, TrinoRequest, TrinoStatus

from openlakes_portal.spi import UpstreamError
from openlakes_portal_trino.coordinator.credentials import HeldCredential
from openlakes_portal_trino.coordinator.segments import ENCODINGS, SegmentStore
from openlakes_portal_trino.coordinator.transport import BoundedSession, translated

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
    segments: bool = False
    """Whether a result is asked for as segments (the spooling protocol); a server that has none sends rows."""
    stores: frozenset[str] = frozenset()
    """Origins besides its own from which it may have segments fetched."""


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
        self._session = BoundedSession(server.timeout, server.verify)
        self._session.auth = _Bearer(credential)
        self._server = server
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
                encoding=ENCODINGS if server.segments else None,
            ),
            http_session=self._session,
            http_scheme=parts.scheme,
            request_timeout=server.timeout,
        )

    def begin(self, sql: str) -> TrinoStatus:
        """Send the statement; the first page."""
        with translated():
            return self._request.process(self._request.post(sql))

    def follow(self, next_uri: str) -> TrinoStatus:
        """The next page."""
        with translated():
            return self._request.process(self._request.get(self._pinned(next_uri)))

    def cancel(self, next_uri: str) -> None:
        """Ask Trino to end the statement."""
        with translated():
            self._request.delete(self._pinned(next_uri))

    def has_ended(self, query_id: str) -> bool:
        """Whether Trino itself says that the query is over (or knows it no more)."""
        with translated():
            answer = self._session.get(self._origin + QUERY + query_id, timeout=self._server.timeout)
        if answer.status_code in (404, 410):
            return True
        if answer.status_code != 200:
            raise UpstreamError(f"Trino answered {answer.status_code} about query {query_id}.", upstream="trino")
        return answer.json().get("state") in ENDED

    def store(self) -> SegmentStore:
        """Where the segments of a result are fetched; the person's credential does not go there."""
        server = self._server
        return SegmentStore(self._origin, server.stores, server.verify, server.timeout)

    def close(self) -> None:
        """Let the connection go."""
        self._session.close()

    def _pinned(self, uri: str) -> str:
        parts = urlsplit(uri)
        if not parts.path.startswith(STATEMENT) or parts.query:
            raise UpstreamError("Trino named a next page that is none of its statement's.", upstream="trino")
        return self._origin + parts.path


def rows_of(status: TrinoStatus) -> list[list[Any]]:
    """The rows of a page that has them in itself."""
    return list(status.rows or [])
