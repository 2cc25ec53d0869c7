"""The apps of this portal: where each stands for a browser, where it really is, and who may open it."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from openlakes_portal._gateway.pool import Pool, Timeouts
from openlakes_portal._gateway.response_headers import Exposure
from openlakes_portal._gateway.targets import Target, parse_target
from openlakes_portal._host.contribution import Contribution
from openlakes_portal.spi import Permission, UpstreamApp


@dataclass(frozen=True)
class App:
    """One app of one plugin, at its place."""

    contribution: Contribution
    declared: UpstreamApp
    target: Target
    origin: str
    """Of the browser: its own host in host mode, the portal's in path mode."""
    prefix: str
    """Path mode: `/apps/<id>`; nothing in host mode."""
    portal: str
    timeouts: Timeouts
    request_headers: frozenset[bytes] = field(init=False)

    def __post_init__(self) -> None:
        names = frozenset(name.lower().encode() for name in self.declared.request_headers)
        object.__setattr__(self, "request_headers", names)

    @property
    def id(self) -> str:
        """Unique in the portal."""
        return self.declared.id

    @property
    def access(self) -> Permission:
        """Who may open it."""
        return self.declared.access

    @cached_property
    def host(self) -> bytes:
        """What the browser has in Host, and the app gets there: its links and redirects are right by themselves."""
        return urlsplit(self.origin).netloc.encode()

    @cached_property
    def exposure(self) -> Exposure:
        """For the headers of its answers."""
        return Exposure(self.origin.encode(), self.target.origin.encode(), self.portal.encode(), self.prefix.encode())

    @cached_property
    def pool(self) -> Pool:
        """Its connections."""
        context = None
        if self.target.tls:
            context = ssl.create_default_context(cafile=self.declared.ca_file and str(self.declared.ca_file))
        return Pool(self.declared.title, self.target, timeouts=self.timeouts, tls=context)


def own_origin(public_url: str, app_id: str) -> str:
    """Where an app stands for a browser in host mode."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{app_id}.{parts.netloc}".lower()


class Apps:
    """All of them, by the host or the path that a request names."""

    def __init__(
        self, contributions: Iterable[Contribution], public_url: str, mode: str, answer_timeout: float
    ) -> None:
        parts = urlsplit(public_url)
        portal = f"{parts.scheme}://{parts.netloc}".lower()
        self.host_mode = mode == "host"
        timeouts = Timeouts(head=answer_timeout, idle=answer_timeout)
        self._by_host: dict[str, App] = {}
        self._by_id: dict[str, App] = {}
        for contribution in contributions:
            for declared in contribution.apps:
                origin = own_origin(public_url, declared.id) if self.host_mode else portal
                prefix = "" if self.host_mode else f"/apps/{declared.id}"
                app = App(contribution, declared, parse_target(declared.target), origin, prefix, portal, timeouts)
                self._by_id[app.id] = app
                if self.host_mode:
                    self._by_host[app.host.decode()] = app

    @property
    def all(self) -> Mapping[str, App]:
        """By id."""
        return self._by_id

    def at_host(self, host: str) -> App | None:
        """The app whose own host this is (host mode)."""
        return self._by_host.get(host)

    def at_path(self, path: str) -> App | None:
        """The app that this path belongs to (path mode)."""
        if self.host_mode or not path.startswith("/apps/"):
            return None
        return self._by_id.get(path.split("/", 3)[2])

    def close(self) -> None:
        """End what is kept open."""
        for app in self._by_id.values():
            app.pool.close()
