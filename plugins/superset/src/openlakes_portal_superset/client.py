"""Superset's REST API (`/api/v1`), called as the person: a bearer token, and for what changes something a CSRF token.

The CSRF token counts together with the session cookie of the same answer. Both are fetched for each call and kept for
none: a jar that several calls share would be one that several people share.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from openlakes_portal.spi import NotFound, Principal, UpstreamClient, UpstreamError, UpstreamResponse
from openlakes_portal.spi.context import Context
from openlakes_portal_superset import errors
from openlakes_portal_superset.settings import AUDIENCE, Settings

NEXT_COOKIE = re.compile(r",\s*(?=[^\s;,=]+=)")
MAX_IMAGE = 4 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"

Query = Mapping[str, Any]


class Superset:
    """Superset, as somebody."""

    def __init__(self, context: Context[Settings]) -> None:
        self._context = context

    async def get(self, principal: Principal, path: str, query: Query | None = None) -> dict[str, Any]:
        """GET below `/api/v1/`; the query is sent as Rison, which is what Superset reads."""
        return errors.read(await self._call(principal, path, query))

    async def send(
        self, principal: Principal, method: Literal["POST", "PUT"], path: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change something."""
        asked = await self._call(principal, "security/csrf_token/")
        token, cookie = errors.read(asked).get("result"), cookies_of(asked.headers.get("set-cookie", ""))
        if not isinstance(token, str) or not cookie:
            raise UpstreamError("Superset gave no CSRF token, or no session to it.", upstream=errors.NAME)
        answer = await self._client.request(
            method,
            f"api/v1/{path}",
            json=dict(body),
            headers={"x-csrftoken": token, "cookie": cookie},
            on_behalf_of=principal,
            raise_for_status=False,
        )
        return errors.read(answer)

    async def image(self, principal: Principal, path: str) -> bytes | None:
        """A picture (PNG); None where Superset has none yet, or makes none."""
        answer = await self._client.request("GET", path, on_behalf_of=principal, raise_for_status=False)
        if answer.status in (202, 204, 404) or not answer.content.startswith(PNG):
            return None
        return answer.content if answer.status == 200 and len(answer.content) <= MAX_IMAGE else None

    @property
    def _client(self) -> UpstreamClient:
        if self._context.settings.address is None:
            raise NotFound("No Superset is configured.", remedy="Set plugins.superset.address.")
        return self._context.upstream(AUDIENCE)

    async def _call(self, principal: Principal, path: str, query: Query | None = None) -> UpstreamResponse:
        import prison

        return await self._client.request(
            "GET",
            f"api/v1/{path}",
            params=None if query is None else {"q": prison.dumps(dict(query))},
            on_behalf_of=principal,
            raise_for_status=False,
        )


def cookies_of(set_cookie: str) -> str:
    """The pairs of Set-Cookie headers (joined by ', ') as one Cookie header."""
    pairs = [one.split(";", 1)[0].strip() for one in NEXT_COOKIE.split(set_cookie)]
    return "; ".join(pair for pair in pairs if "=" in pair)
