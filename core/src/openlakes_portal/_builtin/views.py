"""Shapes of core's own answers."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ComponentView(BaseModel):
    """A component and its state."""

    id: str
    plugin: str
    title: str
    state: str
    cause: str | None
    remedy: str | None
    since: datetime
    checked_at: datetime | None
    details: dict[str, str]


class SettingView(BaseModel):
    """A setting as it is in force."""

    key: str
    value: Any
    source: str
    description: str
    secret: bool


class PluginView(BaseModel):
    """An installed plugin."""

    id: str
    title: str
    version: str
    distribution: str
    state: str
    stage: str | None
    reason: str | None
    remedy: str | None
    detail: str | None
    contract: str | None
    owner: str
    docs: str | None
    description: str
    upstream_versions: list[str]
    load_ms: float | None
    contributes: dict[str, int]
    settings: list[SettingView]


class SearchHit(BaseModel):
    """Something that was found."""

    id: str
    kind: str
    title: str
    subtitle: str | None
    path: str
    icon: str
    plugin: str


class PartialResult(BaseModel):
    """A provider that is not in the answer, and why."""

    plugin: str
    reason: str


class SearchAnswer(BaseModel):
    """Hits, and who could not answer."""

    items: list[SearchHit]
    partial: list[PartialResult]


class ActionView(BaseModel):
    """Something that can be done."""

    id: str
    plugin: str
    title: str
    description: str
    danger: str
    confirm_field: str | None
    quick: bool
    icon: str
    input_schema: dict[str, Any]


class ActionAnswer(BaseModel):
    """What was done, or would be."""

    message: str
    effects: list[str]
    link: str | None
    output: dict[str, Any]
    dry_run: bool


class SearchQuery(BaseModel):
    """What to look for."""

    q: str = Field("", max_length=200, description="Text to find")
    limit: int = Field(20, ge=1, le=50, description="Most hits")


class DryRun(BaseModel):
    """Whether only to say what would be done."""

    dry_run: bool = False
