"""A plugin in pure Python: a page, an action, and a component that is down while a file exists."""

from pathlib import Path

from pydantic import BaseModel, Field

from openlakes_portal.spi import (
    Action,
    ActionButton,
    ActionCall,
    ActionResult,
    Chart,
    Column,
    Context,
    HealthCheck,
    HealthReport,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    Request,
    Route,
    Stat,
    Table,
    hookimpl,
)

READ = Permission("acme-declared:order:read", "See orders", roles=("data-engineer",))
SHIP = Permission("acme-declared:order:ship", "Ship orders", roles=("data-engineer",))


class Settings(BaseModel, extra="forbid"):
    """Where the flag is."""

    flag: Path = Field(Path("/nonexistent"), description="While this file exists, the warehouse is down")


class Orders(BaseModel):
    """What the page shows."""

    total: int
    orders: list[dict[str, str | int]]


class Shipment(BaseModel, extra="forbid"):
    """What is to be shipped."""

    order: str = Field(min_length=1, max_length=40, description="Number of the order")


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who it is."""
    return PluginManifest(
        id="acme-declared", title="Acme orders", contract="1.0", owner="acme@example.org", docs="https://acme.example"
    )


@hookimpl
def settings_model() -> type[Settings]:
    """Its settings."""
    return Settings


@hookimpl
def register_permissions(context: Context[Settings]) -> list[Permission]:
    """Its permissions."""
    return [READ, SHIP]


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    """Its data."""

    async def orders(request: Request) -> Orders:
        rows: list[dict[str, str | int]] = [{"order": f"A-{n}", "pieces": n * 3, "state": "healthy"} for n in (1, 2, 3)]
        return Orders(total=18, orders=rows)

    return [Route("GET", "orders", orders, access=READ)]


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page]:
    """Its page."""
    columns = [Column("order"), Column("pieces", kind="number"), Column("state", kind="status")]
    return [
        Page(
            "orders",
            "Acme orders",
            access=READ,
            source="orders",
            body=[
                Stat("Pieces", value="total"),
                Table("Orders", rows="orders", columns=columns),
                Chart("Pieces by order", rows="orders", x="order", y="pieces"),
                ActionButton("ship"),
            ],
        )
    ]


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its line in the navigation."""
    return [NavEntry("Serve", "Acme orders", page="orders", access=READ, icon="table")]


@hookimpl
def register_actions(context: Context[Settings]) -> list[Action]:
    """What can be done."""

    async def ship(call: ActionCall, shipment: Shipment) -> ActionResult:
        would = "would ship" if call.dry_run else "shipped"
        return ActionResult(f"{call.principal.username} {would} {shipment.order}", (f"Order {shipment.order} leaves",))

    return [Action("ship", "Ship an order", "Sends an order out.", Shipment, ship, SHIP, quick=True)]


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """Its component."""

    async def check() -> HealthReport:
        if context.settings.flag.exists():
            return HealthReport.down("The warehouse door is shut.", "Open the door.")
        return HealthReport.healthy()

    return [HealthCheck("warehouse", check, interval=1.0, title="Acme warehouse")]
