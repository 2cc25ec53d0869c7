"""Queries as Trino itself has them: whoever began them, by whatever client. Listed, looked into and ended as a person.

Trino's own rules say what a person may see and end there, and the portal's say whether they may look beyond their own:
both must allow it. What somebody may not see is answered as what is not there.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from openlakes_portal.spi import (
    Conflict,
    NotAllowed,
    NotFound,
    Principal,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamResponse,
    UpstreamUnavailable,
)
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.coordinator.credentials import Credentials
from openlakes_portal_trino.coordinator.query_info import (
    EngineQuery,
    EngineQueryDetail,
    detailed,
    listed,
    state_of,
    user_of,
)
from openlakes_portal_trino.settings import Settings

QUERY_ID = r"^[0-9]{8}_[0-9]{6}_[0-9]{5}_[a-z0-9]{1,16}$"
PROOF_WITHIN = 20.0
PROOF_EVERY = 0.1
MOST_LISTED = 500
GONE = "Trino knows no such query: it forgets those that ended a while ago."
ENDED = ("finished", "failed", "cancelled")


class Oversight:
    """Trino's queries, each call as the person who asks. `beyond_own` is whether the portal lets them see others'."""

    def __init__(self, context: Context[Settings], credentials: Credentials) -> None:
        self._context = context
        self._credentials = credentials

    async def queries(self, principal: Principal, *, beyond_own: bool) -> Sequence[EngineQuery]:
        """What runs or waits first, then what ended, the newest first."""
        raws = self._json(await self._ask(principal, "GET", "/v1/query"))
        if not isinstance(raws, list):
            raise _wrong()
        found = [listed(raw) for raw in raws if beyond_own or user_of(raw) == principal.username]
        found.sort(key=lambda query: query.created_at or "", reverse=True)
        found.sort(key=lambda query: query.state in ENDED)
        return found[:MOST_LISTED]

    async def query(self, principal: Principal, id: str, *, beyond_own: bool) -> EngineQueryDetail:
        """One query with its stages. Raises `NotFound`, also for one of somebody else's."""
        note = ""
        try:
            raw = await self._information(principal, id, "")
        except UpstreamError as error:
            if error.upstream_status != 200:
                raise
            # So many tasks that the answer is too long: without stages and operators it is short.
            raw = await self._information(principal, id, "?pruned=true")
            note = "Trino tells so much of this query that its stages are left out here: see Trino's own page."
        if user_of(raw) != principal.username and not beyond_own:
            raise NotFound(GONE)
        return detailed(raw).model_copy(update={"note": note})

    async def end(self, principal: Principal, id: str, reason: str) -> None:
        """End a query, and return once Trino itself says that it is over. Whether the portal allows it was asked
        before. Raises `NotAllowed` where Trino does not, `Conflict` where it has ended already."""
        answer = await self._ask(
            *(principal, "PUT", f"/v1/query/{id}/killed"),
            content=reason.encode(),
            headers={"content-type": "text/plain; charset=utf-8"},
        )
        if answer.status == 403:
            raise NotAllowed(
                "Trino's own rules do not let you stop this query.", remedy="Ask an admin of Trino, or its owner."
            )
        if answer.status == 409:
            raise Conflict("The query has ended already.")
        if answer.status not in (200, 202, 204):
            raise self._refused(answer)
        await self._prove_ended(principal, id)

    async def _prove_ended(self, principal: Principal, id: str) -> None:
        deadline = time.monotonic() + PROOF_WITHIN
        while time.monotonic() < deadline:
            try:
                if state_of(await self._information(principal, id, "?pruned=true")) in ENDED:
                    return
            except NotFound:
                return
            await asyncio.sleep(PROOF_EVERY)
        raise UpstreamUnavailable(
            f"Trino took the order to end the query, and still ran it {PROOF_WITHIN:.0f} s later.",
            upstream="trino",
            remedy="Look at it again; it may end yet.",
        )

    async def _information(self, principal: Principal, id: str, options: str) -> dict[str, Any]:
        raw = self._json(await self._ask(principal, "GET", f"/v1/query/{id}{options}"))
        if not isinstance(raw, dict):
            raise _wrong()
        return raw

    async def _ask(
        self,
        principal: Principal,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> UpstreamResponse:
        credential = await self._credentials.of(principal)
        sent = {"x-trino-user": credential.user, **(headers or {})}
        if credential.bearer is not None:
            sent["authorization"] = f"Bearer {credential.bearer.get_secret_value()}"
        client = self._context.upstream("trino")
        return await client.request(method, path, headers=sent, content=content, raise_for_status=False)

    def _json(self, answer: UpstreamResponse) -> Any:
        import orjson

        if answer.status != 200:
            raise self._refused(answer)
        try:
            return orjson.loads(answer.content)
        except ValueError as error:
            raise _wrong() from error

    def _refused(self, answer: UpstreamResponse) -> Exception:
        status = answer.status
        if status in (403, 404, 410):
            return NotFound(GONE)
        if status == 401:
            return UpstreamAuthFailed(
                "Trino refused the sign-in of the portal for you.", upstream="trino", upstream_status=status
            )
        if status in (429, 502, 503, 504):
            return UpstreamUnavailable(
                f"Trino cannot answer now ({status}).", upstream="trino", upstream_status=status, remedy="Try again."
            )
        return UpstreamError(
            f"Trino answered {status}.", upstream="trino", upstream_status=status, remedy="See Trino's own log."
        )


def _wrong() -> UpstreamError:
    return UpstreamError(
        "Trino's answer is none of its API's.",
        upstream="trino",
        upstream_status=502,
        remedy="Check that plugins.trino.trino.address is the address of the coordinator itself.",
    )
