"""The conformance kit: what a good plugin has, checked one by one, with findings that a person can act on.

A *failure* is something the portal refuses or a person would trip over; an *advice* is something that users of the
plugin will miss. `openlakes plugin check` prints them; a plugin's own tests can assert that there are none.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from openlakes_portal._host.context import Runtime
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.discovery import Candidate
from openlakes_portal._host.journal import Journal
from openlakes_portal._host.loader import Loader, LoadLimits
from openlakes_portal._http.endpoint import compile_endpoint
from openlakes_portal._settings.load import load, merge
from openlakes_portal.spi import Public

SECRET_NAMES = re.compile(r"(?:^|_)(password|passwd|secret|token|api_key|private_key|credentials?)$")
SLOW_LOAD_MS = 500.0


@dataclass(frozen=True)
class Finding:
    """One thing to mend: how grave, which rule, what is wrong, what to do."""

    level: Literal["failure", "advice"]
    rule: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.level}: {self.message}\n         {self.remedy} [{self.rule}]"


def check_plugin(candidate: Candidate, settings: Mapping[str, Any] | None = None) -> list[Finding]:
    """Load the plugin as the portal does and check what it brings. `settings` are its own (`plugins.<id>`)."""
    with tempfile.TemporaryDirectory(prefix="openlakes-check-") as folder:
        tree: dict[str, Any] = {
            "auth": {"mode": "demo"},
            "server": {"data_dir": folder},
        }
        if settings is not None:
            tree = merge(tree, {"plugins": {candidate.id: dict(settings)}})
        loaded = load(environ=None if settings is None else {}, overlay=tree)
        loader = Loader(
            loaded, Runtime(Path(folder), loaded.settings.server.public_url), Journal(Path(folder)), LoadLimits()
        )
        result = loader.load(candidate)
    if not isinstance(result, Contribution):
        if result.state == "disabled":
            return []
        stage = result.stage or "load"
        detail = f"\n         {result.detail.splitlines()[-1]}" if result.detail else ""
        message = f"the portal would quarantine it at the stage {stage}: {result.reason}{detail}"
        return [Finding("failure", f"loads.{stage}", message, result.remedy or "")]
    return [finding for rule in RULES for finding in rule(result)]


def _settings_described(plugin: Contribution) -> Iterator[Finding]:
    model = type(plugin.settings)
    for name, info in model.model_fields.items():
        if not info.description:
            yield Finding(
                "failure",
                "settings.described",
                f"the setting {name!r} has no description",
                f"{model.__name__}.{name}: Field(..., description='...'); the operator's docs are made from it.",
            )
        if SECRET_NAMES.search(name) and "Secret" not in str(info.annotation):
            yield Finding(
                "failure",
                "settings.secret",
                f"the setting {name!r} looks like a secret and is no SecretStr",
                "Annotate it with pydantic.SecretStr, so that it is masked everywhere.",
            )
    if model.model_fields and model.model_config.get("extra") != "forbid":
        yield Finding(
            "failure",
            "settings.strict",
            "the settings accept unknown keys",
            f"class {model.__name__}(BaseModel, extra='forbid'), so that a misspelt key is named.",
        )


def _manifest_complete(plugin: Contribution) -> Iterator[Finding]:
    if not plugin.manifest.owner:
        yield Finding(
            "advice", "manifest.owner", "nobody is named as owner", "PluginManifest(owner='team@example.org')"
        )
    if not plugin.manifest.docs:
        yield Finding(
            "advice", "manifest.docs", "there is no link to documentation", "PluginManifest(docs='https://...')"
        )


def _health_present(plugin: Contribution) -> Iterator[Finding]:
    if plugin.upstreams and not plugin.checks:
        names = ", ".join(u.name for u in plugin.upstreams)
        yield Finding(
            "failure",
            "health.present",
            f"it talks to {names} and has no health check",
            "Return one HealthCheck for each system from register_health_checks.",
        )


def _routes_typed(plugin: Contribution) -> Iterator[Finding]:
    for route in plugin.routes:
        compiled = compile_endpoint(route)
        json_only = route.produces == ("application/json",)
        if compiled.returns is None and route.method == "GET" and json_only:
            yield Finding(
                "advice",
                "routes.typed",
                f"the answer of GET {route.path} has no type",
                f"Annotate {route.endpoint.__name__} with what it returns; the OpenAPI is made from it.",
            )
        if isinstance(route.access, Public) and route.method != "GET":
            yield Finding(
                "failure",
                "routes.public-mutation",
                f"anybody may call {route.method} {route.path}",
                "Give it a Permission.",
            )


def _permissions_granted(plugin: Contribution) -> Iterator[Finding]:
    for permission in plugin.permissions:
        if not permission.roles:
            yield Finding(
                "advice",
                "permissions.granted",
                f"no role but platform-admin holds {permission.name} from the start",
                "Name roles=(...) if others should have it.",
            )


def _reachable(plugin: Contribution) -> Iterator[Finding]:
    if plugin.pages and not plugin.nav and not plugin.slots:
        yield Finding(
            "advice",
            "pages.reachable",
            "it has pages and nothing that leads to them",
            "Return a NavEntry from register_nav.",
        )


def _load_fast(plugin: Contribution) -> Iterator[Finding]:
    if plugin.record.load_ms is not None and plugin.record.load_ms > SLOW_LOAD_MS:
        yield Finding(
            "advice",
            "load.fast",
            f"loading it took {plugin.record.load_ms:.0f} ms",
            "Import heavy clients inside the functions that use them.",
        )


RULES: tuple[Callable[[Contribution], Iterator[Finding]], ...] = (
    _settings_described,
    _manifest_complete,
    _health_present,
    _routes_typed,
    _permissions_granted,
    _reachable,
    _load_fast,
)
