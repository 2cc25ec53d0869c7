"""What is known of each plugin: its state, and where it is broken, at which stage, why, and what to do."""

from dataclasses import dataclass
from typing import Literal

PluginState = Literal["active", "disabled", "quarantined"]


@dataclass(frozen=True)
class PluginRecord:
    """One installed plugin as the Plugins page, the log and `openlakes plugin list` show it."""

    id: str
    title: str
    version: str
    distribution: str
    state: PluginState
    stage: str | None = None
    reason: str | None = None
    remedy: str | None = None
    detail: str | None = None
    contract: str | None = None
    owner: str = ""
    docs: str | None = None
    description: str = ""
    upstream_versions: tuple[str, ...] = ()
    load_ms: float | None = None


class StageFailed(Exception):
    """Loading a plugin failed at a stage: the reason in words, the remedy, and the last lines of a traceback."""

    def __init__(self, stage: str, reason: str, remedy: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
        self.remedy = remedy
        self.detail = detail
