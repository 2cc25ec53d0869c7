"""Calling an endpoint: input, idempotency, audit, the call itself, and its value as an answer."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import anyio.to_thread
from pydantic import ValidationError
from pydantic_core import to_json

from openlakes_portal._audit.record import Entry
from openlakes_portal._auth.guard import SAFE_METHODS
from openlakes_portal._host.journal import Attributed
from openlakes_portal._host.portal import Portal
from openlakes_portal._host.registry import may
from openlakes_portal._http.problems import EndpointTimeout, UnsupportedMedia, invalid
from openlakes_portal._http.request import DIGEST_MARK, HttpRequest
from openlakes_portal._http.response import Answer, EventsResponse, Response, StreamResponse, attachment, check_status
from openlakes_portal._http.routing import BoundRoute
from openlakes_portal._http.sse import Holder
from openlakes_portal._store.idempotency import Claim, KeptAnswer
from openlakes_portal.spi import (
    Action,
    BadRequest,
    Events,
    File,
    Listing,
    NotAllowed,
    Permission,
    PortalError,
    Reply,
    Stream,
)

CHUNK = 256 * 1024
AUDIT_OBJECT = 500
"""Characters of an object's name that an audit record keeps."""


class EndpointRunner:
    """Runs endpoints of the registry."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._threads: dict[str, anyio.CapacityLimiter] = {}

    async def run(self, bound: BoundRoute, request: HttpRequest) -> Answer:
        """The answer of one request that may be answered."""
        if bound.route.body_limit is not None:
            request.body_limit = min(request.body_limit, bound.route.body_limit)
        arguments = await self._arguments(bound, request)
        if bound.route.method in SAFE_METHODS or bound.route.quiet:
            if request.session is not None:
                self._portal.reads.count(request.session.principal, bound.template)
            return self._answer(bound, request, await self._call(bound, request, arguments))
        return await self._mutate(bound, request, arguments)

    async def _arguments(self, bound: BoundRoute, request: HttpRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        endpoint = bound.endpoint
        if endpoint.query is not None:
            try:
                arguments["query"] = endpoint.query.model_validate(dict(request.query_params))
            except ValidationError as error:
                raise invalid(error, "/query") from None
        if endpoint.body is not None:
            kind = (request.headers.get("content-type") or "").split(";")[0].strip().lower()
            if kind and kind != "application/json" and not kind.endswith("+json"):
                raise UnsupportedMedia(f"The body is {kind[:60]}; it must be application/json.")
            raw = await request.body()
            if not raw:
                raise BadRequest("The body is empty; it must be JSON.")
            try:
                arguments["body"] = endpoint.body.validate_json(raw, strict=True)
            except ValidationError as error:
                if any(item["type"] == "json_invalid" for item in error.errors(include_url=False)):
                    raise BadRequest(f"The body is not JSON: {error.errors()[0]['msg'][:200]}.") from None
                raise invalid(error) from None
        return arguments

    async def _call(self, bound: BoundRoute, request: HttpRequest, arguments: dict[str, Any]) -> Any:
        seconds = self._portal.settings.limits.request_timeout
        function: Any = bound.route.endpoint
        try:
            if bound.endpoint.is_async:
                call: Attributed[Any] = Attributed(function(request, **arguments), self._portal.journal, bound.label)
                try:
                    first = call.send(None)
                except StopIteration as done:
                    return done.value  # it awaited nothing: there was nothing to time
                async with asyncio.timeout(seconds):
                    return await call.resumed(first)
            async with asyncio.timeout(seconds):
                limiter = self._threads.get(bound.plugin_id)
                if limiter is None:
                    limiter = anyio.CapacityLimiter(self._portal.settings.limits.threads)
                    self._threads[bound.plugin_id] = limiter
                return await anyio.to_thread.run_sync(lambda: function(request, **arguments), limiter=limiter)
        except TimeoutError:
            raise EndpointTimeout(f"No answer within {seconds:g} s.", remedy="See the health of the system.") from None

    async def _mutate(self, bound: BoundRoute, request: HttpRequest, arguments: dict[str, Any]) -> Answer:
        key = request.headers.get("idempotency-key")
        claim: Claim | None = None
        if key is not None:
            target = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
            held = await self._portal.idempotency.begin(
                _asker(request), request.method, target, key, await request.body()
            )
            if isinstance(held, KeptAnswer):
                return Response(held.status, held.body, {**held.headers, "idempotency-replayed": "true"})
            claim = held
        entry = self._entry(bound, request, arguments)
        try:
            await self._portal.audit.write(entry, "intent", "started")
        except PortalError:
            if claim is not None:
                await self._portal.idempotency.release(claim)
            raise
        try:
            answer = self._answer(bound, request, await self._call(bound, request, arguments))
        except PortalError as error:
            await self._outcome(_ended(entry, request), f"refused: {error.status} {error.title}", claim)
            raise
        except BaseException as error:
            await asyncio.shield(self._outcome(_ended(entry, request), f"failed: {type(error).__name__}", claim))
            raise
        await self._portal.audit.write(_ended(entry, request), "outcome", f"done: {answer.status}")
        if claim is not None:
            if isinstance(answer, Response):
                kept = None if bound.route.shown_once else answer.body
                await self._portal.idempotency.finish(claim, answer.status, answer.headers, kept)
            else:
                await self._portal.idempotency.release(claim)
        return answer

    async def _outcome(self, entry: Entry, result: str, claim: Claim | None) -> None:
        if claim is not None:
            await self._portal.idempotency.release(claim)
        await self._portal.audit.write(entry, "outcome", result)

    def _entry(self, bound: BoundRoute, request: HttpRequest, arguments: dict[str, Any]) -> Entry:
        route = bound.route
        name = getattr(route.endpoint, "__name__", "call").strip("_<>") or "call"
        target = "/".join(request.parameters.values())
        if route.audit_object is not None:
            body = arguments.get("body")
            target = request.parameters.get(route.audit_object) or str(getattr(body, route.audit_object, "") or "")
        action = route.audit or f"{bound.plugin_id}.{name}"
        ran = (
            self._portal.registry.actions.get(request.parameters.get("action", ""))
            if bound.plugin_id == "core"
            else None
        )
        if ran is not None:
            action = ran.action.event or ran.id
            target = _acted_on(ran.action, arguments.get("body")) or target
        principal = request.session.principal if request.session else None
        tried = {"dry_run": "true"} if getattr(arguments.get("query"), "dry_run", False) else {}
        return Entry(action, request.id, principal, target, request.address, tried)

    async def record_denial(self, request: HttpRequest, error: NotAllowed) -> None:
        """A refusal, as an event."""
        assert request.session is not None
        target = f"{request.scope['method']} {request.template or request.scope['path'][:200]}"
        entry = Entry("core.access.denied", request.id, request.session.principal, target, request.address)
        await self._portal.audit.write(entry, "event", error.permission or "refused")

    def _answer(self, bound: BoundRoute, request: HttpRequest, value: Any) -> Answer:
        status, headers = bound.route.status, {}
        if isinstance(value, Reply):
            status = value.status if value.status != 200 else status
            if value.version is not None:
                headers["etag"] = f'"{value.version}"'
            if value.location is not None:
                headers["location"] = value.location
            value = value.value
        check_status(status)
        if isinstance(value, Events):
            return EventsResponse(value.source, self._holder(bound, request))
        if isinstance(value, Stream):
            headers |= {"content-type": value.media_type, "x-accel-buffering": "no", **value.headers}
            if value.filename:
                headers["content-disposition"] = attachment(value.filename)
            return StreamResponse(value.source, status, headers, self._holder(bound, request))
        if isinstance(value, File):
            headers |= {"content-type": value.media_type, "content-disposition": attachment(value.filename)}
            headers["content-length"] = str(value.path.stat().st_size)
            return StreamResponse(_read_file(value), status, headers, self._holder(bound, request))
        if value is None and bound.endpoint.returns is None:
            return Response(204 if status == 200 else status, b"", headers)
        return self._json(bound, request, value, status, headers)

    def _json(
        self, bound: BoundRoute, request: HttpRequest, value: Any, status: int, headers: dict[str, str]
    ) -> Response:
        adapter = bound.endpoint.returns
        if isinstance(value, Listing):
            items = b",".join(adapter.dump_json(item) if adapter else to_json(item) for item in value.items)
            body = b'{"items":[' + items + b'],"next_cursor":' + to_json(value.next_cursor) + b"}"
        else:
            body = adapter.dump_json(value) if adapter else to_json(value)
        headers["content-type"] = "application/json"
        if bound.route.method == "GET" and status == 200:
            tag = headers["etag"] = _tag(headers.get("etag"), body)
            wanted = request.headers.get("if-none-match")
            headers["cache-control"] = "private, no-cache"
            if wanted is not None and tag.removeprefix("W/") in {
                t.strip().removeprefix("W/") for t in wanted.split(",")
            }:
                return Response(304, b"", headers)
        return Response(status, body, headers)

    def _holder(self, bound: BoundRoute, request: HttpRequest) -> Holder | None:
        """Whose stream it is, and whether they may still have it: their session and the route's permission hold."""
        session, access = request.session, bound.access
        if session is None:
            return None

        known = self._portal.api_tokens if session.by_token else self._portal.sessions

        async def still_allowed() -> bool:
            fresh = None if session.ended.is_set() else await known.refresh(session)
            if fresh is None:
                return False
            principal = await self._portal.decisions.current(fresh)
            if not may(principal, access):
                return False
            if request.resource is None or not isinstance(access, Permission):
                return True
            return (await self._portal.decisions.decide(principal, access.name, request.resource)).allowed

        asked = access.name if isinstance(access, Permission) else ""
        return Holder(f"{session.id_hash} {asked} {request.resource or ''}", still_allowed)


def _tag(version: str | None, body: bytes) -> str:
    """The entity tag of an answer. What people edit keeps its version in front, for If-Match; the body counts as well,
    since it may hold what changes without a new version (how many bindings give a role)."""
    digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()[:12]
    return f'W/"{digest}"' if version is None else f'"{version[1:-1]}{DIGEST_MARK}{digest}"'


def _asker(request: HttpRequest) -> str:
    """Whose an `Idempotency-Key` is. An API token's are not its owner's: it may less than the answers say."""
    if request.session is None:
        return f"address {request.address}"
    principal = request.session.principal
    return f"{principal.identity}\n{principal.session_id}" if request.session.by_token else principal.identity


def _acted_on(action: Action, body: Any) -> str | None:
    """What an action's input says it is about, as far as it says it: the input is not checked yet."""
    if action.audit_object is None or not isinstance(body, Mapping):
        return None
    named = body.get(action.audit_object)
    return str(named)[:AUDIT_OBJECT] if isinstance(named, str | int) and named != "" else None


def _ended(entry: Entry, request: HttpRequest) -> Entry:
    """The entry of the outcome. A dry run changed nothing, whatever the endpoint tried."""
    return entry if "dry_run" in entry.details else replace(entry, **request.recorded)


async def _read_file(file: File) -> AsyncIterator[bytes]:
    handle = await asyncio.to_thread(file.path.open, "rb")
    try:
        while part := await asyncio.to_thread(handle.read, CHUNK):
            yield part
    finally:
        await asyncio.to_thread(handle.close)
