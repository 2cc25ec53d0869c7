"""Shared capabilities: provided by one plugin, asked for by another, brokered by core, absent gracefully.

`SqlEngine` is complete; the others state what a provider must at least offer and grow with the plugins that need them
(a change here is a change of the contract, with an ADR).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from openlakes_portal.spi.access import Principal
from openlakes_portal.spi.health import HealthReport


@runtime_checkable
class SecretStore(Protocol):
    """Reads secrets by path and key; settings' `{"vault": "path#key"}` resolve through it."""

    async def read(self, path: str, key: str) -> str:
        """The newest value; `NotFound` where there is none."""


@dataclass(frozen=True)
class RunState:
    """One run of a job: its state in the shared vocabulary, its times, where its log is to be read."""

    id: str
    job: str
    state: str
    started_at: datetime | None = None
    ended_at: datetime | None = None


@runtime_checkable
class Orchestrator(Protocol):
    """Starts and watches jobs as a person."""

    async def trigger(self, principal: Principal, job: str, parameters: Mapping[str, str]) -> RunState:
        """Start a run."""

    async def run(self, principal: Principal, job: str, run_id: str) -> RunState:
        """One run's state."""


@dataclass(frozen=True)
class StoredObject:
    """An object: its key, size in bytes, when it changed."""

    key: str
    size: int
    modified_at: datetime


@runtime_checkable
class ObjectStore(Protocol):
    """Lists and reads objects as a person."""

    async def list(self, principal: Principal, bucket: str, prefix: str) -> Sequence[StoredObject]:
        """Objects below a prefix."""

    def read(self, principal: Principal, bucket: str, key: str) -> AsyncIterator[bytes]:
        """An object's bytes."""


@dataclass(frozen=True)
class DatasetRef:
    """A dataset by the name under which every system knows it: `catalog.schema.table`."""

    name: str
    title: str | None = None
    description: str | None = None


@runtime_checkable
class Catalog(Protocol):
    """Finds datasets and what is known of them."""

    async def search(self, principal: Principal, text: str, limit: int) -> Sequence[DatasetRef]:
        """Datasets that match."""


@dataclass(frozen=True)
class LineageEdge:
    """`downstream` is made from `upstream`; each is `<kind>:<name>`; `source` says who knows it."""

    upstream: str
    downstream: str
    source: str


@runtime_checkable
class LineageSource(Protocol):
    """What one system knows of lineage."""

    async def edges(self, principal: Principal, node: str, depth: int) -> Sequence[LineageEdge]:
        """Edges around a node."""


@runtime_checkable
class Deployment(Protocol):
    """Starts systems itself, and knows how far each is: while one is being installed, its checks need not fail."""

    def report(self, address: str) -> HealthReport | None:
        """What it knows of the system at this address (scheme, host and port): `starting` with what is being done, or
        `down` with why that came to nothing; None: nothing, so what a check found stands. Asked often, on the event
        loop: answer at once, from memory."""


@dataclass(frozen=True)
class Service:
    """A provider of a capability: the protocol's class, and the object that implements it."""

    capability: type
    provider: object
    id: str = "default"

    def __post_init__(self) -> None:
        if not isinstance(self.provider, self.capability):
            raise TypeError(f"{type(self.provider).__name__} does not implement {self.capability.__name__}")
