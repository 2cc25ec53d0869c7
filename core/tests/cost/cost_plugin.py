"""Cost: what each dataset costs, read from the site's billing service as the person who asks."""
from pydantic import BaseModel, Field, HttpUrl

from openlakes_portal.spi import (
    Chart, Column, Context, HealthCheck, HealthReport, NavEntry, Page, Permission, PluginManifest,
    PortalToken, Request, Route, Stat, Table, TokenExchanger, Upstream, hookimpl,
)

READ = Permission("cost:report:read", "See what datasets cost", roles=("bi-analyst", "data-engineer"))


class Settings(BaseModel, extra="forbid"):
    """Where the billing service is."""

    address: HttpUrl = Field(description="Base address of the billing service")
    timeout: float = Field(5.0, gt=0, description="Seconds before a call is given up")


class Report(BaseModel):
    """What the datasets cost in a month, in euros."""

    total: float
    days: list[dict[str, float | str]]
    datasets: list[dict[str, float | str]]


@hookimpl
def plugin_manifest() -> PluginManifest:
    return PluginManifest(id="cost", title="Cost", contract="1.0", owner="platform@acme.example", docs="https://acme.example/cost")


@hookimpl
def settings_model() -> type[Settings]:
    return Settings


@hookimpl
def register_permissions(context: Context[Settings]) -> list[Permission]:
    return [READ]


@hookimpl
def register_upstreams(context: Context[Settings]) -> list[Upstream]:
    return [Upstream("billing", context.settings.address, timeout=context.settings.timeout)]


@hookimpl
def register_token_exchangers(context: Context[Settings]) -> list[TokenExchanger]:
    return [PortalToken(audience="billing", lifetime=300)]


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    async def report(request: Request) -> Report:
        month = request.query("month", default="current")
        answer = await context.upstream("billing").get("/v1/report", params={"month": month}, on_behalf_of=request.principal)
        return Report.model_validate(answer)

    return [Route("GET", "report", report, access=READ)]


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page]:
    return [Page("overview", "Cost by dataset", access=READ, source="report", body=[
        Stat("This month", value="total", unit="EUR"),
        Chart("By day", rows="days", x="day", y="eur", kind="bar"),
        Table("Datasets", rows="datasets", columns=[Column("dataset", link="dataset"), Column("eur", "Cost", unit="EUR"), Column("change", kind="delta")]),
    ])]


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    return [NavEntry("Govern", "Cost", page="overview", access=READ)]


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    async def check() -> HealthReport:
        answer = await context.upstream("billing").get("/health")
        return HealthReport.healthy(version=answer["version"])

    return [HealthCheck("billing", check, timeout=2.0)]
