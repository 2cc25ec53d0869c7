"""What the two servers answer, as far as it is used: the shapes of their HTTP APIs.

Prometheus: https://prometheus.io/docs/prometheus/latest/querying/api/ (2.42 and 3.x were tried; others that speak it
leave fields out). Alertmanager: its OpenAPI, version 2 (0.25 and 0.31 were tried). What is not named here is ignored.
"""

from typing import Literal

from pydantic import BaseModel, Field


class BuildInformation(BaseModel):
    """`/api/v1/status/buildinfo`; some builds leave the version empty."""

    version: str = ""


class ActiveTarget(BaseModel):
    """Something that Prometheus scrapes."""

    labels: dict[str, str] = Field(default_factory=dict)
    health: Literal["up", "down", "unknown"] = "unknown"
    last_error: str = Field("", alias="lastError")
    last_scrape: str | None = Field(None, alias="lastScrape")
    seconds: float | None = Field(None, alias="lastScrapeDuration")
    url: str = Field("", alias="scrapeUrl")


class ActiveTargets(BaseModel):
    """`/api/v1/targets?state=active`."""

    targets: list[ActiveTarget] = Field(alias="activeTargets")


class RuleAlert(BaseModel):
    """An alert as the rule that made it sees it."""

    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    state: Literal["pending", "firing"]
    active_at: str | None = Field(None, alias="activeAt")
    value: str = ""


class RuleAlerts(BaseModel):
    """`/api/v1/alerts`."""

    alerts: list[RuleAlert]


class KnownAlertmanager(BaseModel):
    """An Alertmanager that Prometheus sends to."""

    url: str


class KnownAlertmanagers(BaseModel):
    """`/api/v1/alertmanagers`."""

    active: list[KnownAlertmanager] = Field(alias="activeAlertmanagers")


class ReceivedStatus(BaseModel):
    """What Alertmanager makes of an alert."""

    state: Literal["unprocessed", "active", "suppressed"]
    silenced_by: list[str] = Field(default_factory=list, alias="silencedBy")
    inhibited_by: list[str] = Field(default_factory=list, alias="inhibitedBy")


class ReceivedAlert(BaseModel):
    """An alert as Alertmanager has it."""

    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str = Field(alias="startsAt")
    status: ReceivedStatus


class Matcher(BaseModel):
    """One condition of a silence."""

    name: str
    value: str
    is_regex: bool = Field(False, alias="isRegex")
    is_equal: bool = Field(True, alias="isEqual")

    def __str__(self) -> str:
        sign = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
        return f'{self.name}{sign[(self.is_equal, self.is_regex)]}"{self.value}"'


class SilenceStatus(BaseModel):
    """Where a silence is in its life."""

    state: Literal["active", "pending", "expired"]


class Silence(BaseModel):
    """Alerts that nobody is told about, until when, and why."""

    id: str
    matchers: list[Matcher]
    starts_at: str = Field(alias="startsAt")
    ends_at: str = Field(alias="endsAt")
    created_by: str = Field("", alias="createdBy")
    comment: str = ""
    status: SilenceStatus


class AlertmanagerVersion(BaseModel):
    """Its build."""

    version: str = ""


class AlertmanagerStatus(BaseModel):
    """`/api/v2/status`; the configuration in it is never passed on."""

    version_info: AlertmanagerVersion = Field(alias="versionInfo")
