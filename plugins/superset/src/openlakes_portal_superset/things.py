"""What Superset has, as the console shows it: dashboards, charts, datasets, databases."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from openlakes_portal.spi import UpstreamError
from openlakes_portal_superset.errors import NAME

PLACES = {"dashboard": "/superset/dashboard/{id}/", "chart": "/explore/?slice_id={id}"}
"""Where a thing is in Superset's own pages, below its prefix."""


class Thing(BaseModel):
    """A dashboard or a chart."""

    id: int
    kind: Literal["dashboard", "chart"]
    title: str
    place: str = Field(description="Where it is in Superset's own pages")
    owners: list[str]
    changed_at: datetime | None = Field(description="When it was changed last")
    changed_by: str | None
    chart_type: str | None = Field(None, description="How a chart is drawn, in Superset's words")
    dataset: str | None = Field(None, description="What a chart is drawn from")
    dashboards: list[str] = Field(default_factory=list, description="Dashboards that a chart is on")
    is_published: bool = True
    certified_by: str | None = None
    thumbnail: str | None = Field(None, description="Address of its picture, where there may be one")


class Dataset(BaseModel):
    """A dataset."""

    id: int
    name: str
    database: str
    catalog: str | None
    namespace: str | None
    kind: str
    owners: str
    changed_at: datetime | None


class Database(BaseModel):
    """A database that Superset is connected to."""

    id: int
    name: str
    kind: str
    sql_lab: bool
    changed_at: datetime | None = None


class Found(BaseModel):
    """One page of a list, and how many there are."""

    items: list[Thing]
    total: int


def dashboard(raw: dict[str, Any], thumbnail: str | None = None) -> Thing:
    """A dashboard of Superset's list, or of its own page."""
    return Thing(
        id=_number(raw, "id"),
        kind="dashboard",
        title=_text(raw.get("dashboard_title")) or f"Dashboard {raw['id']}",
        place=PLACES["dashboard"].format(id=raw["id"]),
        owners=_people(raw.get("owners")),
        changed_at=_time(raw.get("changed_on_utc") or raw.get("changed_on")),
        changed_by=_text(raw.get("changed_by_name")) or _person(raw.get("changed_by")),
        is_published=bool(raw.get("published", True)),
        certified_by=_text(raw.get("certified_by")),
        thumbnail=thumbnail,
    )


def chart(raw: dict[str, Any], thumbnail: str | None = None) -> Thing:
    """A chart of Superset's list, or of its own page."""
    boards = raw.get("dashboards")
    return Thing(
        id=_number(raw, "id"),
        kind="chart",
        title=_text(raw.get("slice_name")) or f"Chart {raw['id']}",
        place=PLACES["chart"].format(id=raw["id"]),
        owners=_people(raw.get("owners")),
        changed_at=_time(raw.get("changed_on_utc") or raw.get("last_saved_at")),
        changed_by=_text(raw.get("changed_by_name")) or _person(raw.get("changed_by")),
        chart_type=_text(raw.get("viz_type")),
        dataset=_text(raw.get("datasource_name_text")),
        dashboards=[t for b in boards if (t := _text(_of(b).get("dashboard_title")))]
        if isinstance(boards, list)
        else [],
        certified_by=_text(raw.get("certified_by")),
        thumbnail=thumbnail,
    )


def dataset(raw: dict[str, Any]) -> Dataset:
    """A dataset of Superset's list."""
    return Dataset(
        id=_number(raw, "id"),
        name=_text(raw.get("table_name")) or f"Dataset {raw['id']}",
        database=_text(_of(raw.get("database")).get("database_name")) or "",
        catalog=_text(raw.get("catalog")),
        namespace=_text(raw.get("schema")),
        kind=_text(raw.get("kind")) or "physical",
        owners=", ".join(_people(raw.get("owners"))),
        changed_at=_time(raw.get("changed_on_utc")),
    )


def database(raw: dict[str, Any]) -> Database:
    """A database of Superset's list."""
    return Database(
        id=_number(raw, "id"),
        name=_text(raw.get("database_name")) or f"Database {raw['id']}",
        kind=_text(raw.get("backend")) or "",
        sql_lab=bool(raw.get("expose_in_sqllab")),
        changed_at=_time(raw.get("changed_on")),
    )


def rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a list of Superset's."""
    found = answer.get("result")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise UpstreamError(f"{NAME} answered with something else than a list.", upstream=NAME, remedy=OTHER)
    return found


def row(answer: dict[str, Any]) -> dict[str, Any]:
    """The one thing that an answer is about."""
    found = answer.get("result")
    if not isinstance(found, dict):
        raise UpstreamError(f"{NAME} answered with something else than was asked for.", upstream=NAME, remedy=OTHER)
    return found


OTHER = "Superset 6.1 is what this was made for; see its version on the health page."


def _of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    if not isinstance(value, int):
        raise UpstreamError(f"{NAME} answered with a thing without {name}.", upstream=NAME, remedy=OTHER)
    return value


def _text(value: Any) -> str | None:
    return value[:1000] if isinstance(value, str) and value.strip() else None


def _person(value: Any) -> str | None:
    parts = [_of(value).get("first_name"), _of(value).get("last_name")]
    words = " ".join(part for part in parts if isinstance(part, str) and part and part != "-")
    return words or None


def _people(value: Any) -> list[str]:
    return [name for one in value if (name := _person(one))] if isinstance(value, list) else []


def _time(value: Any) -> datetime | None:
    """Superset writes UTC, with an offset or without one."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
