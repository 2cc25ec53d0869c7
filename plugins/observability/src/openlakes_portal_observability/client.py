"""Calls of the two servers: a deadline, one vocabulary of errors, answers checked against their shape.

Nothing that a server writes into an error is passed on: such texts show paths and addresses of the server's machine.
"""

from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from openlakes_portal.spi import Context, Limited, NotFound, UpstreamError, UpstreamUnavailable
from openlakes_portal_observability.answers import (
    ActiveTarget,
    ActiveTargets,
    AlertmanagerStatus,
    BuildInformation,
    KnownAlertmanagers,
    ReceivedAlert,
    RuleAlert,
    RuleAlerts,
    Silence,
)
from openlakes_portal_observability.credentials import headers
from openlakes_portal_observability.settings import ServerSettings, Settings

T = TypeVar("T")
MOST_BYTES = 16 * 1024 * 1024
"""Of one answer: some ten thousand targets."""

_received = TypeAdapter(list[ReceivedAlert])
_silences = TypeAdapter(list[Silence])


class Answer(BaseModel, Generic[T]):
    """Prometheus' envelope."""

    data: T


class _Server:
    def __init__(self, context: Context[Settings], name: str, title: str, server: ServerSettings) -> None:
        self._context = context
        self._name = name
        self.title = title
        self.server = server

    async def ready(self) -> bool:
        """Whether it says that it can serve; False while it starts. Raises where it cannot be reached."""
        answer = await self._context.upstream(self._name).request(
            "GET", "/-/ready", headers=headers(self.server), raise_for_status=False
        )
        if answer.status == 503:
            return False
        if answer.status in (401, 403):
            await self._get("/-/ready")  # says so in the one vocabulary
        return True

    async def _get(self, path: str, **parameters: str) -> bytes:
        client = self._context.upstream(self._name)
        try:
            answer = await client.request("GET", path, params=parameters or None, headers=headers(self.server))
        except NotFound as error:
            raise self._wrong(f"has nothing at {path}", 404) from error
        except Limited as error:
            raise UpstreamUnavailable(
                f"{self.title} limits the rate of calls.",
                upstream=self._name,
                upstream_status=429,
                remedy="See what else asks it that often.",
            ) from error
        return answer.content

    def _wrong(self, what: str, status: int | None = None) -> UpstreamError:
        return UpstreamError(
            f"{self.title} at {self.server.address} {what}.",
            upstream=self._name,
            upstream_status=status,
            remedy=f"Check that plugins.observability.{self._name}.address is the address of {self.title} itself.",
        )

    def _read(self, adapter: TypeAdapter[T], body: bytes) -> T:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            raise self._wrong(f"answers with what is no answer of {self.title}") from error


class Prometheus(_Server):
    """Prometheus, or another that speaks its API."""

    def __init__(self, context: Context[Settings]) -> None:
        super().__init__(context, "prometheus", "Prometheus", context.settings.prometheus)

    async def version(self) -> str:
        """Its version; empty where the build does not say."""
        body = await self._get("/api/v1/status/buildinfo")
        return self._read(TypeAdapter(Answer[BuildInformation]), body).data.version

    async def targets(self) -> list[ActiveTarget]:
        """What it scrapes."""
        body = await self._get("/api/v1/targets", state="active")
        return self._read(TypeAdapter(Answer[ActiveTargets]), body).data.targets

    async def alerts(self) -> list[RuleAlert]:
        """Alerts that its rules make now."""
        return self._read(TypeAdapter(Answer[RuleAlerts]), await self._get("/api/v1/alerts")).data.alerts

    async def alertmanagers(self) -> list[str]:
        """Addresses that it sends alerts to."""
        body = await self._get("/api/v1/alertmanagers")
        return [one.url for one in self._read(TypeAdapter(Answer[KnownAlertmanagers]), body).data.active]


class Alertmanager(_Server):
    """Alertmanager, by its second API."""

    def __init__(self, context: Context[Settings]) -> None:
        super().__init__(context, "alertmanager", "Alertmanager", context.settings.alertmanager)

    async def version(self) -> str:
        """Its version."""
        body = await self._get("/api/v2/status")
        return self._read(TypeAdapter(AlertmanagerStatus), body).version_info.version

    async def alerts(self) -> list[ReceivedAlert]:
        """Alerts that it has, silenced ones too."""
        return self._read(_received, await self._get("/api/v2/alerts"))

    async def silences(self) -> list[Silence]:
        """Silences that hold or will hold."""
        found = self._read(_silences, await self._get("/api/v2/silences"))
        return [silence for silence in found if silence.status.state != "expired"]
