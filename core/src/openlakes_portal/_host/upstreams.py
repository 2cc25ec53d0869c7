"""Clients of upstreams (spi.upstream): deadlines, one retry where safe, a circuit breaker, one vocabulary of errors.

A client belongs to one plugin. httpx keeps its pool within one event loop, and checks run in a loop of their own, so
each loop that calls has its own pool, made on first use.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from openlakes_portal._http.request_id import current_request_id
from openlakes_portal.spi import (
    Conflict,
    InvalidInput,
    Limited,
    NotFound,
    Principal,
    Upstream,
    UpstreamAnswerTooLarge,
    UpstreamAuthFailed,
    UpstreamCredential,
    UpstreamError,
    UpstreamResponse,
    UpstreamUnavailable,
)

if TYPE_CHECKING:
    import httpx

Exchange = Callable[[Principal, str], Awaitable[UpstreamCredential]]
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 5.0


class Breaker:
    """After five failures in a row calls fail at once; one in five seconds is let through to try, until one succeeds.

    A try holds nothing: one that is given up, and tells neither way, does not keep the circuit open for good.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def check(self, name: str) -> None:
        """Raises `UpstreamUnavailable` while the circuit is open, and it is not this call that tries."""
        if self._failures < FAILURES_TO_OPEN:
            return
        moment = self._clock()
        left = self._open_until - moment
        if left <= 0:
            self._open_until = moment + OPEN_SECONDS
        else:
            raise UpstreamUnavailable(
                f"{name} failed {self._failures} times in a row; the next try is in {left:.0f} s.",
                upstream=name,
                remedy=f"See the health of {name}; calls go on by themselves once it answers.",
            )

    def succeeded(self) -> None:
        """The upstream answered."""
        self._failures = 0
        self._open_until = 0.0

    def failed(self) -> None:
        """The upstream did not answer, or answered that it cannot."""
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._open_until = self._clock() + OPEN_SECONDS


class HttpUpstreamClient:
    """The client of one upstream."""

    def __init__(self, upstream: Upstream, exchange: Exchange) -> None:
        self._upstream = upstream
        self._exchange = exchange
        self._breaker = Breaker()
        self._pools: dict[int, tuple[asyncio.AbstractEventLoop, httpx.AsyncClient]] = {}

    async def get(
        self, path: str, *, params: Mapping[str, str] | None = None, on_behalf_of: Principal | None = None
    ) -> Any:
        """GET and parse JSON."""
        return self._json(await self.request("GET", path, params=params, on_behalf_of=on_behalf_of))

    async def post(
        self,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        on_behalf_of: Principal | None = None,
    ) -> Any:
        """POST JSON and parse JSON."""
        return self._json(await self.request("POST", path, params=params, json=json, on_behalf_of=on_behalf_of))

    async def put(self, path: str, *, json: Any = None, on_behalf_of: Principal | None = None) -> Any:
        """PUT JSON and parse JSON."""
        return self._json(await self.request("PUT", path, json=json, on_behalf_of=on_behalf_of))

    async def patch(self, path: str, *, json: Any = None, on_behalf_of: Principal | None = None) -> Any:
        """PATCH with JSON and parse JSON."""
        return self._json(await self.request("PATCH", path, json=json, on_behalf_of=on_behalf_of))

    async def delete(self, path: str, *, on_behalf_of: Principal | None = None) -> Any:
        """DELETE and parse JSON."""
        return self._json(await self.request("DELETE", path, on_behalf_of=on_behalf_of))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        on_behalf_of: Principal | None = None,
        raise_for_status: bool = True,
        max_body: int | None = None,
    ) -> UpstreamResponse:
        """Any call, with the raw answer."""
        import httpx

        sent = await self._headers(headers, on_behalf_of)
        self._breaker.check(self._upstream.name)
        attempts = 2 if method in ("GET", "HEAD") else 1
        for attempt in range(attempts):
            try:
                async with asyncio.timeout(self._upstream.timeout):
                    request = self._pool().build_request(
                        method, self._url(path), params=params, headers=sent, content=content, json=json
                    )
                    response = await self._pool().send(request, stream=True)
                    try:
                        body = await self._read(response, max_body or self._upstream.max_body)
                    finally:
                        await response.aclose()
            except (httpx.TransportError, TimeoutError, OSError) as error:
                retry = attempt + 1 < attempts and isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
                if retry:
                    continue
                self._breaker.failed()
                raise self._unavailable(error) from error
            break
        if response.status_code >= 500:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        answer = UpstreamResponse(response.status_code, dict(response.headers), body)
        if raise_for_status:
            self._raise_for_status(answer)
        return answer

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        on_behalf_of: Principal | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """An answer of any length."""
        return self._stream(method, path, params, headers, on_behalf_of)

    @asynccontextmanager
    async def _stream(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        on_behalf_of: Principal | None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        import httpx

        sent = await self._headers(headers, on_behalf_of)
        self._breaker.check(self._upstream.name)
        try:
            call = self._pool().stream(method, self._url(path), params=params, headers=sent)
            async with call as response:
                if response.status_code >= 500:
                    self._breaker.failed()
                else:
                    self._breaker.succeeded()
                if response.status_code >= 400:
                    answer = UpstreamResponse(
                        response.status_code,
                        dict(response.headers),
                        await self._read(response, self._upstream.max_body),
                    )
                    self._raise_for_status(answer)
                yield response.aiter_bytes()
        except httpx.TransportError as error:
            self._breaker.failed()
            raise self._unavailable(error) from error

    async def close(self) -> None:
        """Close the pool of the running loop; those of other loops go with their thread."""
        held = self._pools.pop(id(asyncio.get_running_loop()), None)
        if held is not None:
            await held[1].aclose()

    def _pool(self) -> "httpx.AsyncClient":
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx

        loop = asyncio.get_running_loop()
        held = self._pools.get(id(loop))
        if held is not None and held[0] is loop:
            return held[1]
        verify: Any = True
        if self._upstream.tls.ca_file is not None:
            import ssl

            verify = ssl.create_default_context(cafile=str(self._upstream.tls.ca_file))
        limits = httpx.Limits(max_connections=self._upstream.max_connections, max_keepalive_connections=10)
        client = httpx.AsyncClient(
            timeout=self._upstream.timeout,
            limits=limits,
            verify=verify,
            trust_env=False,
            follow_redirects=False,
            # Keeps nothing: what an upstream sets for one person is never sent with another's call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        self._pools[id(loop)] = (loop, client)
        return client

    def _url(self, path: str) -> str:
        """The base address and the path; a path cannot leave the base."""
        if any(part in ("..", ".") for part in path.split("?")[0].split("/")) or "\\" in path or "#" in path:
            raise InvalidInput(f"The path {path[:200]!r} of {self._upstream.name} holds dot segments or '\\', '#'.")
        return f"{self._upstream.base_address}/{quote(path.lstrip('/'), safe='/:?&=%@,;+$!*()~.-_')}"

    async def _headers(self, headers: Mapping[str, str] | None, principal: Principal | None) -> dict[str, str]:
        sent = {"accept": "application/json", "x-request-id": current_request_id(), **(headers or {})}
        if principal is not None:
            credential = await self._exchange(principal, self._upstream.name)
            value = credential.value.get_secret_value()
            match credential.kind:
                case "bearer":
                    sent["authorization"] = f"Bearer {value}"
                case "header":
                    sent[credential.name] = value
                case "cookie":
                    sent["cookie"] = f"{credential.name}={value}"
                case "basic":
                    import base64

                    pair = base64.b64encode(f"{credential.name}:{value}".encode()).decode()
                    sent["authorization"] = f"Basic {pair}"
                case "database":
                    raise UpstreamAuthFailed(
                        f"The credential for {self._upstream.name} is a database login, which is sent over no HTTP.",
                        upstream=self._upstream.name,
                        remedy="Ask context.credential for it and give it to the driver.",
                    )
        return sent

    async def _read(self, response: "httpx.Response", most: int) -> bytes:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > most:
                raise UpstreamAnswerTooLarge(
                    f"{self._upstream.name} answered with more than {most} bytes.",
                    upstream=self._upstream.name,
                    upstream_status=response.status_code,
                )
            parts.append(part)
        return b"".join(parts)

    def _json(self, answer: UpstreamResponse) -> Any:
        import json

        if not answer.content:
            return None
        try:
            return json.loads(answer.content)
        except ValueError as error:
            kind = answer.headers.get("content-type", "no content type")
            raise UpstreamError(
                f"{self._upstream.name} answered {answer.status} with {kind[:80]} where JSON was expected.",
                upstream=self._upstream.name,
                upstream_status=answer.status,
                remedy=f"Check that {self._upstream.base_address} is the address of its API, not of a sign-in page.",
            ) from error

    def _raise_for_status(self, answer: UpstreamResponse) -> None:
        name, status = self._upstream.name, answer.status
        if status < 300:
            return
        if status in (401, 403):
            raise UpstreamAuthFailed(
                f"{name} refused the credential ({status}).", upstream=name, upstream_status=status
            )
        if status == 404:
            raise NotFound(f"{name} does not have that.")
        if status == 409:
            raise Conflict(f"{name} reports a conflict.")
        if status == 429:
            raise Limited(f"{name} limits the rate of calls.", retry_after=_seconds(answer.headers.get("retry-after")))
        kind = UpstreamUnavailable if status in (502, 503, 504) else UpstreamError
        raise kind(f"{name} answered {status}.", upstream=name, upstream_status=status)

    def _unavailable(self, error: BaseException) -> UpstreamUnavailable:
        import httpx

        address, name = self._upstream.base_address, self._upstream.name
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            what, remedy = f"did not answer within {self._upstream.timeout:g} s", "See whether it is overloaded."
        elif isinstance(error, httpx.ConnectError):
            what, remedy = "refuses connections or cannot be found", f"Start it, or correct its address {address}."
        else:
            what, remedy = "broke off in the middle of an answer", "See its own log."
        return UpstreamUnavailable(f"{name} at {address} {what}.", upstream=name, remedy=remedy)


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None
