"""Calls to who signs tokens (the identity provider, or another issuer that is trusted): one deadline, no redirects, a
bounded JSON answer, nothing repeated."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from openlakes_portal._auth.oidc.errors import LostAnswer, ProviderMisconfigured, ProviderUnavailable

MAX_ANSWER = 1024 * 1024
ACCEPTED = "application/json, application/jwk-set+json"
"""Kubernetes gives its keys (RFC 7517, 8.5) to nobody who accepts plain JSON only: 406."""


@dataclass(frozen=True)
class Answer:
    """Status and JSON object of an answer; an empty object where the body is none."""

    status: int
    data: dict[str, Any]


class Reach(Protocol):
    """How somebody is reached."""

    @property
    def ca_file(self) -> Path | None:
        """Certificates that are trusted for them (PEM), None for the machine's own."""

    @property
    def timeout(self) -> float:
        """Seconds that each call may take."""


class Fetcher:
    """A client for one of them, which messages call `title` and its settings `where`. Certificates are always verified;
    proxies of the environment are not used."""

    def __init__(self, reach: Reach, title: str = "identity provider", where: str = "auth.oidc") -> None:
        self._reach = reach
        self._title = title
        self._where = where
        self._client: httpx.AsyncClient | None = None

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            trusted = self._reach.ca_file
            try:
                context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
            except (OSError, ssl.SSLError) as error:
                raise ProviderMisconfigured(
                    f"{self._where}.ca_file {trusted} cannot be used: {error}.",
                    remedy="Give it a file of PEM certificates.",
                ) from None
            self._client = httpx.AsyncClient(
                verify=context, timeout=self._reach.timeout, follow_redirects=False, trust_env=False
            )
        return self._client

    async def get(self, url: str, *, bearer: str | None = None) -> Answer:
        """GET JSON."""
        return await self._call("GET", url, headers={"authorization": f"Bearer {bearer}"} if bearer else {})

    async def post_json(self, url: str, value: Any, *, bearer: str) -> Answer:
        """POST JSON with a bearer token."""
        content = json.dumps(value).encode()
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        return await self._call("POST", url, headers=headers, content=content)

    async def post_form(self, url: str, form: Mapping[str, str], auth: httpx.Auth | None = None) -> Answer:
        """POST a form."""
        return await self._call("POST", url, data=dict(form), auth=auth)

    async def head_date(self, url: str) -> str | None:
        """The `Date` of an answer."""
        response, _ = await self._sent("GET", url, httpx.URL(url).host)
        date: str | None = response.headers.get("date")
        return date

    async def visit(self, url: str) -> tuple[int, str | None]:
        """What a browser without cookies is told: status and Location."""
        response, _ = await self._sent("GET", url, httpx.URL(url).host, headers={"accept": "text/html"})
        return response.status_code, response.headers.get("location")

    async def _call(self, method: str, url: str, **options: Any) -> Answer:
        host = httpx.URL(url).host
        options["headers"] = {"accept": ACCEPTED, **options.get("headers", {})}
        response, body = await self._sent(method, url, host, **options)
        if response.is_redirect:
            raise ProviderMisconfigured(
                f"The {self._title} redirects {httpx.URL(url).path}; no call to it follows that.",
                remedy=f"Set {self._where}.issuer to the address that answers itself.",
            )
        return Answer(response.status_code, _object(body, response.status_code, f"The {self._title} ({host})"))

    async def _sent(self, method: str, url: str, host: str, **options: Any) -> tuple[httpx.Response, bytes]:
        try:
            async with asyncio.timeout(self._reach.timeout):
                async with self._open().stream(method, url, **options) as response:
                    return response, await _read(response, f"The {self._title} ({host})")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            if isinstance(cause := _cause(error), ssl.SSLCertVerificationError):
                raise ProviderMisconfigured(
                    f"The certificate of the {self._title} ({host}) is not trusted: {cause.verify_message}.",
                    remedy=f"Give {self._where}.ca_file the certificates that signed it, or mend the certificate.",
                ) from None
            raise ProviderUnavailable(
                f"The {self._title} ({host}) cannot be reached.",
                remedy="Who is signed in stays so. `openlakes doctor` says more.",
            ) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise LostAnswer(
                f"The {self._title} ({host}) did not answer in full: {type(error).__name__}.",
                remedy="Try again; `openlakes doctor` says more.",
            ) from None

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


async def _read(response: httpx.Response, who: str) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER:
            raise ProviderUnavailable(f"{who} answered with more than {MAX_ANSWER} bytes.")
        parts.append(part)
    return b"".join(parts)


def _object(body: bytes, status: int, who: str) -> dict[str, Any]:
    try:
        data = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        return data
    if status >= 400:
        return {}
    raise ProviderUnavailable(f"{who} answered with something that is no JSON object.")


def _cause(error: BaseException) -> BaseException | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ssl.SSLError):
        seen = seen.__cause__ or seen.__context__
    return seen
