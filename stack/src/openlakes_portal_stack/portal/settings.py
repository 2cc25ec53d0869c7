"""Settings of the plugin `stack` (`plugins.stack`): filled by the demo, empty elsewhere."""

from pathlib import Path

from pydantic import BaseModel, Field


class ShownComponent(BaseModel, extra="forbid"):
    """A component as it was planned."""

    title: str = Field(description="Its name for people")
    addresses: list[str] = Field(default_factory=list, description="Host and port of each of its doors")
    checked_by: str | None = Field(None, description="The plugin that shows its health; none: this one does")


class Settings(BaseModel, extra="forbid"):
    """A stack of real components on this machine, for the demo and for development."""

    folder: Path | None = Field(None, description="Where its state lies; none: this portal keeps no stack")
    raise_with_portal: bool = Field(
        False, description="Bring it up when the portal has started, and down when the portal ends"
    )
    components: dict[str, ShownComponent] = Field(default_factory=dict, description="Its components by id")
