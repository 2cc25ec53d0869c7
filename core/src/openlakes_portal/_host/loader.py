"""Loading one plugin: import, manifest, settings, each hook, checks of what it returned; each stage with a deadline.

pluggy's own loader aborts at the first bad entry point; so every plugin gets a plugin manager of its own, and whatever
goes wrong stays with it.
"""

import difflib
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from inspect import isroutine
from types import ModuleType
from typing import Any

import pluggy
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from openlakes_portal._host.assets import collect_assets
from openlakes_portal._host.context import PluginContext, Runtime
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.deadline import Overstayed, StageClock, run_staged
from openlakes_portal._host.discovery import Candidate, safe_text
from openlakes_portal._host.journal import CRASH_LIMIT, Journal
from openlakes_portal._host.records import PluginRecord, StageFailed
from openlakes_portal._host.upstreams import HttpUpstreamClient
from openlakes_portal._host.validate import validate
from openlakes_portal._settings.errors import problems_of
from openlakes_portal._settings.load import LoadedSettings, normalise
from openlakes_portal.spi import (
    CONTRACT_VERSION,
    Action,
    AsgiRoute,
    AuditEventType,
    Decider,
    HealthCheck,
    Module,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    PortalToken,
    ProviderToken,
    Route,
    SearchProvider,
    Service,
    SlotContent,
    TokenExchanger,
    Upstream,
    UpstreamApp,
    hookspecs,
)

RETURNS: dict[str, tuple[type, ...]] = {
    "register_permissions": (Permission,),
    "register_deciders": (Decider,),
    "register_upstreams": (Upstream,),
    "register_token_exchangers": (PortalToken, ProviderToken, TokenExchanger),
    "register_routes": (Route, AsgiRoute),
    "register_apps": (UpstreamApp,),
    "register_services": (Service,),
    "register_pages": (Page, SlotContent, Module),
    "register_nav": (NavEntry,),
    "register_actions": (Action,),
    "register_search": (SearchProvider,),
    "register_health_checks": (HealthCheck,),
    "register_events": (AuditEventType,),
}
HOOKS = ("plugin_manifest", "settings_model", *RETURNS, "lifespan")
MAX_ITEMS = 1000
MAX_MANIFEST_TEXT = 2000


class NoSettings(BaseModel):
    """The settings of a plugin that has none."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class LoadLimits:
    """Deadlines in seconds, and threads of one plugin."""

    import_deadline: float = 20.0
    hook_deadline: float = 5.0
    threads: int = 8


class _Hooks(pluggy.PluginManager):
    """Looks at a module's own functions only. pluggy asks for every name of it, which costs more than all the rest."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """The options of one name, None where it is no hook implementation."""
        return super().parse_hookimpl_opts(plugin, name) if _may_be_hook(plugin, name) else None

    def parse_hookspec_opts(self, module_or_class: ModuleType | type, name: str) -> pluggy.HookspecOpts | None:
        """The same for our specifications."""
        return super().parse_hookspec_opts(module_or_class, name) if _may_be_hook(module_or_class, name) else None


def _may_be_hook(namespace: object, name: str) -> bool:
    return not isinstance(namespace, ModuleType) or isroutine(vars(namespace).get(name))


class Loader:
    """Loads candidates one after the other."""

    def __init__(self, settings: LoadedSettings, runtime: Runtime, journal: Journal, limits: LoadLimits) -> None:
        self._settings = settings
        self._runtime = runtime
        self._journal = journal
        self._limits = limits

    def load(self, candidate: Candidate) -> Contribution | PluginRecord:
        """The plugin's contribution, or the record that says why there is none. Never raises for the plugin's sake."""
        record = PluginRecord(
            candidate.id, candidate.id, candidate.version, candidate.distribution, "active", load_ms=0.0
        )
        raw = self._settings.plugin(candidate.id)
        if raw.get("enabled", True) in (False, "false", "False", "0", "no", "off"):
            reason = f"switched off by plugins.{candidate.id}.enabled"
            return replace(record, state="disabled", reason=reason, load_ms=None)
        started = time.perf_counter()
        try:
            if candidate.problem is not None:
                raise candidate.problem
            self._check_crashes(candidate)
            contribution = run_staged(
                lambda clock: self._load(candidate, record, raw, clock), name=f"load-{candidate.id}"
            )
        except StageFailed as failure:
            return quarantined(record, failure)
        except Overstayed as late:
            setting = "limits.import_deadline" if late.stage == "import" else "limits.hook_deadline"
            remedy = f"Do slow things in lifespan or in what you return, not in {late.stage}; or raise {setting}."
            return quarantined(record, StageFailed(late.stage, f"{late}.", remedy))
        elapsed = round((time.perf_counter() - started) * 1000, 1)
        return replace(contribution, record=replace(contribution.record, load_ms=elapsed))

    def load_module(self, plugin_id: str, module: object, context: PluginContext, version: str) -> Contribution:
        """Load our own plugin: the same stages, with errors raised instead of kept."""
        record = PluginRecord(plugin_id, plugin_id, version, "openlakes-portal", "active")
        manager = self._register(plugin_id, module)
        return self._collect(manager, record, NoSettings(), context, StageClock(), builtin=True)

    def _check_crashes(self, candidate: Candidate) -> None:
        crashes = self._journal.crashes(candidate.id, candidate.version)
        if crashes >= CRASH_LIMIT:
            raise StageFailed(
                "crash",
                f"It ended the whole process {crashes} times.",
                f"Install a version that does not, or delete {self._journal.crashes_file.name} in the folder 'run' "
                "of server.data_dir to try again.",
            )

    def _load(self, candidate: Candidate, record: PluginRecord, raw: dict[str, Any], clock: StageClock) -> Contribution:
        with self._journal.running(candidate.id, candidate.version):
            clock.enter("import", self._limits.import_deadline)
            module = self._import(candidate)
            clock.enter("hooks", self._limits.hook_deadline)
            manager = self._register(candidate.id, module)
            settings = self._read_settings(manager, candidate.id, raw, clock)
            log = structlog.get_logger(f"plugin.{candidate.id}").bind(plugin=candidate.id)
            context = PluginContext(candidate.id, settings, self._runtime, log, self._limits.threads)
            return self._collect(manager, record, settings, context, clock)

    def _import(self, candidate: Candidate) -> Any:
        try:
            return candidate.entry_point.load()
        except ModuleNotFoundError as error:
            missing = safe_text(error.name or "?", 100)
            raise StageFailed(
                "import",
                f"It needs the module {missing!r}, which is not installed.",
                f"Install the distribution that holds {missing!r} beside the portal, and have the plugin declare it.",
                trace(error),
            ) from None
        except SystemExit as error:
            raise StageFailed(
                "import",
                f"Importing it called sys.exit({error.code!r}).",
                "A plugin must not end the process: remove the call.",
                trace(error),
            ) from None
        except AttributeError as error:
            value = safe_text(candidate.entry_point.value, 100)
            raise StageFailed(
                "import", f"The entry point {value!r} names nothing: {error}.", "Correct it in pyproject.toml."
            ) from None
        except BaseException as error:
            raise failure("import", error) from None

    def _register(self, plugin_id: str, module: Any) -> pluggy.PluginManager:
        manager = _Hooks(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(module, name=plugin_id)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            unknown = next((n for n in _implementations(manager, module) if n not in HOOKS), None)
            if unknown is not None:
                close = difflib.get_close_matches(unknown, HOOKS, n=1)
                remedy = f"Did you mean {close[0]!r}?" if close else f"Hooks are: {', '.join(HOOKS)}."
                raise StageFailed("hooks", f"There is no hook {unknown!r}.", remedy) from None
            raise StageFailed("hooks", str(error), "Take the arguments that the hook declares, or none.") from None
        implemented = {caller.name for caller in manager.get_hookcallers(module) or ()}
        if not implemented:
            value = getattr(module, "__name__", type(module).__name__)
            raise StageFailed(
                "hooks",
                f"{safe_text(str(value), 100)} holds no hook.",
                "Mark plugin_manifest and the others with @hookimpl of openlakes_portal.spi.",
            )
        if "plugin_manifest" not in implemented:
            raise StageFailed(
                "plugin_manifest",
                "It has no plugin_manifest.",
                "Return a PluginManifest from the hook plugin_manifest.",
            )
        return manager

    def _read_settings(
        self, manager: pluggy.PluginManager, plugin_id: str, raw: dict[str, Any], clock: StageClock
    ) -> BaseModel:
        model = self._call(manager, "settings_model", clock, None) or NoSettings
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise StageFailed(
                "settings_model",
                f"It returned {type(model).__name__}, not a pydantic model.",
                "Return the class itself.",
            )
        values = {key: value for key, value in raw.items() if key != "enabled"}
        try:
            return model.model_validate(values)
        except ValidationError as error:
            problems = problems_of(error, model, self._settings.plugin_sources(plugin_id))
            first = problems[0]
            name = f"OPENLAKES_PLUGINS__{normalise(plugin_id).upper()}__{first.key.upper().replace('.', '__')}"
            raise StageFailed(
                "settings",
                "Its settings are wrong: " + "; ".join(f"{p.key} {p.message}" for p in problems) + ".",
                f"Set plugins.{plugin_id}.{first.key} in the configuration, or {name}, then restart.",
            ) from None

    def _collect(
        self,
        manager: pluggy.PluginManager,
        record: PluginRecord,
        settings: BaseModel,
        context: PluginContext,
        clock: StageClock,
        builtin: bool = False,
    ) -> Contribution:
        manifest = self._manifest(manager, record, clock)
        record = replace(
            record,
            title=manifest.title,
            contract=manifest.contract,
            owner=manifest.owner,
            docs=manifest.docs,
            description=manifest.description,
            upstream_versions=manifest.upstream_versions,
        )
        got = {hook: self._items(manager, hook, clock, context) for hook in RETURNS}
        pages = got["register_pages"]
        modules = [item for item in pages if isinstance(item, Module)]
        if len(modules) > 1:
            raise StageFailed("register_pages", "It returned more than one Module.", "Return one, with one entry.")
        clock.enter("validate", self._limits.hook_deadline)
        asset_hash, files = collect_assets(modules[0]) if modules else ("", {})
        routes = got["register_routes"]
        upstreams: Sequence[Upstream] = got["register_upstreams"]
        contribution = Contribution(
            record=record,
            manifest=manifest,
            context=context,
            settings=settings,
            permissions=tuple(got["register_permissions"]),
            deciders=tuple(got["register_deciders"]),
            upstreams=tuple(upstreams),
            routes=tuple(r for r in routes if isinstance(r, Route)),
            asgi_routes=tuple(r for r in routes if isinstance(r, AsgiRoute)),
            apps=tuple(got["register_apps"]),
            exchangers=tuple(got["register_token_exchangers"]),
            services=tuple(got["register_services"]),
            nav=tuple(got["register_nav"]),
            pages=tuple(p for p in pages if isinstance(p, Page)),
            slots=tuple(p for p in pages if isinstance(p, SlotContent)),
            module=modules[0] if modules else None,
            actions=tuple(got["register_actions"]),
            search=tuple(got["register_search"]),
            checks=tuple(got["register_health_checks"]),
            events=tuple(got["register_events"]),
            # pluggy leaves out what is None: a plugin may decide by its settings that it has none.
            lifespan=(lambda: next(iter(manager.hook.lifespan(context=context)), None))
            if manager.hook.lifespan.get_hookimpls()
            else None,
            builtin=builtin,
            asset_hash=asset_hash,
            asset_files=files,
        )
        validate(contribution)
        context.clients = {u.name: HttpUpstreamClient(u, context.exchange) for u in upstreams}
        context.exchange.exchangers = {e.audience: e for e in contribution.exchangers}
        context.events = frozenset(event.name for event in contribution.events)
        return contribution

    def _manifest(self, manager: pluggy.PluginManager, record: PluginRecord, clock: StageClock) -> PluginManifest:
        manifest = self._call(manager, "plugin_manifest", clock, None)
        if not isinstance(manifest, PluginManifest):
            raise StageFailed(
                "plugin_manifest",
                f"It returned {type(manifest).__name__}.",
                "Return a PluginManifest(id=..., title=...).",
            )
        _check_manifest(manifest, record.id)
        return manifest

    def _items(self, manager: pluggy.PluginManager, hook: str, clock: StageClock, context: PluginContext) -> list[Any]:
        returned = self._call(manager, hook, clock, context)
        if returned is None:
            return []
        kinds = RETURNS[hook]
        names = " or ".join(kind.__name__ for kind in kinds)
        if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
            raise StageFailed(hook, f"It returned {type(returned).__name__}.", f"Return a list of {names}.")
        items = []
        for item in returned:
            if not isinstance(item, kinds):
                raise StageFailed(
                    hook, f"It returned a list with {type(item).__name__} in it.", f"Return only {names}."
                )
            items.append(item)
            if len(items) > MAX_ITEMS:
                raise StageFailed(
                    hook, f"It returned more than {MAX_ITEMS} items.", "Return a list, not a generator without end."
                )
        return items

    def _call(self, manager: pluggy.PluginManager, hook: str, clock: StageClock, context: PluginContext | None) -> Any:
        caller = getattr(manager.hook, hook)
        if not caller.get_hookimpls():
            return None
        clock.enter(hook, self._limits.hook_deadline)
        try:
            results = caller() if context is None else caller(context=context)
        except BaseException as error:
            raise failure(hook, error) from None
        if not results:
            raise StageFailed(hook, "It returned None.", "Return a value, or leave the hook out.")
        return results[0]


def _implementations(manager: pluggy.PluginManager, module: Any) -> list[str]:
    return [name for name in dir(module) if manager.parse_hookimpl_opts(module, name) is not None]


def _check_manifest(manifest: PluginManifest, expected_id: str) -> None:
    stage = "plugin_manifest"
    if manifest.id != expected_id:
        raise StageFailed(
            stage,
            f"Its manifest says id {safe_text(str(manifest.id), 60)!r}, its entry point {expected_id!r}.",
            "The entry point's name is the plugin's id: make the two equal.",
        )
    texts = (manifest.title, manifest.owner, manifest.docs or "", manifest.description, *manifest.upstream_versions)
    for text in texts:
        if not isinstance(text, str) or len(text) > MAX_MANIFEST_TEXT or safe_text(text, MAX_MANIFEST_TEXT) != text:
            raise StageFailed(
                stage, "Its manifest holds text that is too long or not printable.", "Use one line of plain text."
            )
    if not manifest.title.strip() or len(manifest.title) > 60:
        raise StageFailed(stage, "Its title is empty or longer than 60 characters.", "Give it a short title.")
    if manifest.docs and not manifest.docs.startswith(("https://", "http://")):
        raise StageFailed(stage, "Its docs link is no http(s) address.", "Link to a web page, or leave it out.")
    wanted, ours = _version(manifest.contract), _version(CONTRACT_VERSION)
    if wanted is None or ours is None or wanted[0] != ours[0] or wanted > ours:
        raise StageFailed(
            stage,
            f"It was written for contract {safe_text(str(manifest.contract), 20)}, this portal has {CONTRACT_VERSION}.",
            "Install a version of the plugin for this contract, or a portal that has the plugin's.",
        )


def _version(text: object) -> tuple[int, int] | None:
    parts = str(text).split(".")
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts):
        return None
    return int(parts[0]), int(parts[1])


def failure(stage: str, error: BaseException) -> StageFailed:
    """An exception of a plugin's code as a failed stage, with the place in its own file."""
    if isinstance(error, StageFailed):
        return error
    words = safe_text(str(error), 300)
    reason = f"{stage} raised {type(error).__name__}{': ' + words if words else ''}"
    remedy = f"Mend {_place(error)}."
    return StageFailed(stage, reason, remedy, trace(error))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "openlakes_portal/_" not in f.filename and "/pluggy/" not in f.filename]
    frame = own[-1] if own else (frames[-1] if frames else None)
    if frame is None:
        return "the plugin"
    name = "/".join(frame.filename.replace("\\", "/").split("/")[-2:])
    return f"{name}:{frame.lineno} in {frame.name}"


def trace(error: BaseException, lines: int = 12) -> str:
    """The end of a traceback, without the folders it lies in."""
    frames = [
        f"{'/'.join(f.filename.split('/')[-2:])}:{f.lineno} in {f.name}: {f.line or ''}"
        for f in traceback.extract_tb(error.__traceback__)
        if "/openlakes_portal/_host/" not in f.filename
        and "/pluggy/" not in f.filename
        and "importlib" not in f.filename
    ]
    head = f"{type(error).__name__}: {safe_text(str(error), 500)}"
    return "\n".join([head, *(safe_text(frame, 300) for frame in frames[-lines:])])


def quarantined(record: PluginRecord, failed: StageFailed) -> PluginRecord:
    """The record of a plugin that is not used."""
    return replace(
        record,
        state="quarantined",
        stage=failed.stage,
        reason=failed.reason,
        remedy=failed.remedy,
        detail=failed.detail,
        load_ms=None,
    )
