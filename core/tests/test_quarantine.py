"""A broken plugin is quarantined: named, with stage, reason and remedy; the good one beside it goes on (F42-F49)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.testing import portal_for

WritePlugin = Callable[..., Candidate]

GOOD = """
@hookimpl
def register_routes(context):
    async def things(request: Request) -> list[str]:
        return ["one"]
    return [Route("GET", "things", things, access=READ)]
@hookimpl
def register_health_checks(context):
    async def check():
        return HealthReport.healthy()
    return [HealthCheck("things", check)]
"""

BROKEN = {
    "import error": ("raise RuntimeError('no luck')", "import", "no luck"),
    "sys.exit at import": ("import sys; sys.exit(3)", "import", "sys.exit"),
    "missing dependency": ("import a_module_nobody_has", "import", "a_module_nobody_has"),
    "syntax error": ("def (", "import", "SyntaxError"),
    "no hook": ("hookimpl = None", "hooks", "no hook"),
    "no manifest": ("@hookimpl\ndef register_routes(context): return []", "plugin_manifest", "no plugin_manifest"),
    "a hook that does not exist": ("@hookimpl\ndef register_roots(context): return []", "hooks", "register_roots"),
    "arguments that a hook does not have": (
        "@hookimpl\ndef register_routes(context, request): return []",
        "hooks",
        "request",
    ),
    "another id": (
        "@hookimpl\ndef plugin_manifest(): return PluginManifest(id='other', title='x', contract='1.0')",
        "plugin_manifest",
        "other",
    ),
    "a newer contract": (
        "@hookimpl\ndef plugin_manifest(): return PluginManifest(id='bad', title='x', contract='1.7')",
        "plugin_manifest",
        "1.7",
    ),
    "another major contract": (
        "@hookimpl\ndef plugin_manifest(): return PluginManifest(id='bad', title='x', contract='2.0')",
        "plugin_manifest",
        "2.0",
    ),
    "a contract that is none": (
        "@hookimpl\ndef plugin_manifest(): return PluginManifest(id='bad', title='x', contract='new')",
        "plugin_manifest",
        "new",
    ),
    "a hostile title": (
        "@hookimpl\ndef plugin_manifest(): return PluginManifest(id='bad', title='a\\x1b[31m\\u202e', contract='1.0')",
        "plugin_manifest",
        "not printable",
    ),
    "a title of ten megabytes": (
        "@hookimpl\ndef plugin_manifest(): return PluginManifest(id='bad', title='x' * 10_000_000, contract='1.0')",
        "plugin_manifest",
        "too long",
    ),
    "a script as link": (
        "@hookimpl\ndef plugin_manifest():\n"
        "    return PluginManifest(id='bad', title='x', contract='1.0', docs='javascript:1')",
        "plugin_manifest",
        "no http(s) address",
    ),
}

BROKEN_HOOKS = {
    "a hook that raises": ("def register_nav(context): return context.settings.nothing", "register_nav", "nothing"),
    "a hook that returns the wrong type": ("def register_nav(context): return 'nav'", "register_nav", "str"),
    "a list with a stranger in it": ("def register_nav(context): return [1]", "register_nav", "int"),
    "a hook that returns None": ("def register_nav(context): return None", "register_nav", "None"),
    "a hook that hangs": ("def register_nav(context):\n    while True: pass", "register_nav", "0.3 s"),
    "a list without end": (
        "def register_permissions(context):\n    import itertools\n    return (READ for _ in itertools.count())",
        "register_permissions",
        "more than",
    ),
    "a route without access": (
        "def register_routes(context): return [Route('GET', 'x', lambda request: 1)]",
        "register_routes",
        "access",
    ),
    "a route outside its prefix": (
        "def register_routes(context): return [Route('GET', '../../auth', lambda request: 1, access=READ)]",
        "register_routes",
        "relative",
    ),
    "an absolute route": (
        "def register_routes(context): return [Route('GET', '/auth/demo', lambda request: 1, access=READ)]",
        "register_routes",
        "relative",
    ),
    "a permission of somebody else": (
        "def register_permissions(context): return [READ, Permission('core:audit:read', 'Read all')]",
        "register_permissions",
        "outside the plugin's prefix",
    ),
    "a permission twice": ("def register_permissions(context): return [READ, READ]", "register_permissions", "twice"),
    "a permission nobody registered": (
        "def register_routes(context):\n"
        "    return [Route('GET', 'x', lambda request: 1, access=Permission('bad:other:read', 'Other'))]",
        "register_routes",
        "bad:other:read",
    ),
    "the permission of core": (
        "def register_routes(context):\n"
        "    return [Route('GET', 'x', lambda request: 1, access=Permission('core:health:read', 'x'))]",
        "register_routes",
        "does not register",
    ),
    "a shadowed path": (
        "def register_routes(context):\n"
        "    async def f(request: Request) -> int: return 1\n"
        "    return [Route('GET', 'x/{a}', f, access=READ), Route('GET', 'x/{b}', f, access=READ)]",
        "register_routes",
        "the same GET",
    ),
    "an endpoint that cannot be called": (
        "def register_routes(context): return [Route('GET', 'x', lambda: 1, access=READ)]",
        "register_routes",
        "takes no request",
    ),
    "a page without its source": (
        "def register_pages(context): return [Page('p', 'P', READ, source='nowhere', body=[])]",
        "register_pages",
        "nowhere",
    ),
    "a page with an unknown action": (
        "def register_pages(context): return [Page('p', 'P', READ, body=[Form('explode')])]",
        "register_pages",
        "explode",
    ),
    "a module page without module": (
        "def register_pages(context): return [Page('p', 'P', READ, export='P')]",
        "register_pages",
        "module",
    ),
    "nav to no page": (
        "def register_nav(context): return [NavEntry('Model', 'X', 'nowhere', READ)]",
        "register_nav",
        "nowhere",
    ),
    "nav in no section": (
        "def register_nav(context): return [NavEntry('Cellar', 'X', 'p', READ)]",
        "register_nav",
        "Cellar",
    ),
    "an event outside its prefix": (
        "def register_events(context): return [AuditEventType('core.session.started', 'x')]",
        "register_events",
        "outside the plugin's prefix",
    ),
    "settings that are missing": (
        "def settings_model():\n    class S(BaseModel, extra='forbid'):\n        address: str\n    return S",
        "settings",
        "address must be set",
    ),
    "a settings model that is none": ("def settings_model(): return 7", "settings_model", "int"),
    "a lifespan that raises": (
        "def lifespan(context):\n"
        "    from contextlib import asynccontextmanager\n"
        "    @asynccontextmanager\n"
        "    async def life():\n"
        "        raise RuntimeError('no cellar')\n"
        "        yield\n"
        "    return life()",
        "lifespan",
        "no cellar",
    ),
    "a lifespan that hangs": (
        "def lifespan(context):\n"
        "    import asyncio\n"
        "    from contextlib import asynccontextmanager\n"
        "    @asynccontextmanager\n"
        "    async def life():\n"
        "        await asyncio.Event().wait()\n"
        "        yield\n"
        "    return life()",
        "lifespan",
        "did not start within",
    ),
}

LIMITS = {"limits": {"hook_deadline": 0.3, "import_deadline": 3.0, "lifespan_deadline": 0.3}}


async def records(tmp_path: Path, candidates: list[Any]) -> dict[str, dict[str, Any]]:
    async with portal_for(tmp_path / "portal", LIMITS, candidates) as portal:
        admin = portal.signed_in("platform-admin")
        plugins = {p["id"]: p for p in (await admin.get("/api/plugins")).json()["items"]}
        answer = await portal.signed_in("viewer").get("/api/plugins/good/things")
        assert answer.json() == ["one"], "the good plugin must not suffer"
        components = (await admin.get("/api/components")).json()["items"]
        named = [c for c in components if c["id"] == "core.plugin-bad"]
        assert named, "the broken plugin must be named on the health page"
        assert named[0]["state"] == "down"
        assert named[0]["cause"] == plugins["bad"]["reason"]
    return plugins


@pytest.mark.parametrize("case", BROKEN, ids=lambda name: name.replace(" ", "-"))
async def test_a_plugin_that_cannot_be_loaded_is_named_and_harms_nobody(
    case: str, tmp_path: Path, write_plugin: WritePlugin
) -> None:
    source, stage, words = BROKEN[case]
    plugins = await records(tmp_path, [write_plugin("bad", source, manifest=False), write_plugin("good", GOOD)])
    bad = plugins["bad"]
    assert (bad["state"], bad["stage"]) == ("quarantined", stage)
    assert words in bad["reason"]
    assert bad["remedy"]


@pytest.mark.parametrize("case", BROKEN_HOOKS, ids=lambda name: name.replace(" ", "-"))
async def test_a_plugin_with_a_broken_hook_is_named_and_harms_nobody(
    case: str, tmp_path: Path, write_plugin: WritePlugin
) -> None:
    source, stage, words = BROKEN_HOOKS[case]
    plugins = await records(tmp_path, [write_plugin("bad", f"@hookimpl\n{source}"), write_plugin("good", GOOD)])
    bad = plugins["bad"]
    assert (bad["state"], bad["stage"]) == ("quarantined", stage), bad
    assert words in bad["reason"]
    assert bad["remedy"]
    assert plugins["good"]["state"] == "active"


async def test_a_plugin_may_have_no_lifespan_after_all(tmp_path: Path, write_plugin: WritePlugin) -> None:
    without = write_plugin("good", f"{GOOD}\n@hookimpl\ndef lifespan(context): return None")
    async with portal_for(tmp_path / "portal", LIMITS, [without]) as portal:
        plugins = (await portal.signed_in("platform-admin").get("/api/plugins")).json()["items"]
        assert [p["state"] for p in plugins if p["id"] == "good"] == ["active"], plugins


async def test_a_slow_import_is_given_up(tmp_path: Path, write_plugin: WritePlugin) -> None:
    slow = write_plugin("bad", "import time\nwhile True: time.sleep(0.01)")
    limits = {"limits": {"import_deadline": 0.4}}
    async with portal_for(tmp_path / "portal", limits, [slow, write_plugin("good", GOOD)]) as portal:
        items = (await portal.signed_in("platform-admin").get("/api/plugins")).json()["items"]
    bad = next(p for p in items if p["id"] == "bad")
    assert (bad["stage"], "0.4 s" in bad["reason"]) == ("import", True)


async def test_of_two_that_claim_one_id_the_first_distribution_keeps_it(
    tmp_path: Path, write_plugin: WritePlugin
) -> None:
    from openlakes_portal._host.discovery import discover

    first, second = write_plugin("good", GOOD), write_plugin("good", GOOD)
    candidates = discover([second.entry_point, first.entry_point])
    assert [c.problem is None for c in candidates] == [True, False]
    assert candidates[0].entry_point.value < candidates[1].entry_point.value
    assert candidates[1].problem is not None
    assert "already taken" in candidates[1].problem.reason


@pytest.mark.parametrize(
    "name", ["../x", "A", "<b>", "x" * 41, "core", "a--b", "-a", "a-", "1a", "a.b", "a b", "\u0430cme", ""]
)
def test_an_entry_point_with_a_hostile_name_is_refused(name: str) -> None:
    from importlib.metadata import EntryPoint

    from openlakes_portal._host.discovery import discover

    (candidate,) = discover([EntryPoint(name, "x", "openlakes_portal.plugins")])
    assert candidate.problem is not None
    assert len(candidate.id) <= 40


async def test_a_disabled_plugin_is_not_even_imported(tmp_path: Path, write_plugin: WritePlugin) -> None:
    mark = tmp_path / "imported"
    off = write_plugin("off", f"open({str(mark)!r}, 'w').close()")
    settings = {"plugins": {"off": {"enabled": False}}}
    async with portal_for(tmp_path / "portal", settings, [off]) as portal:
        items = (await portal.signed_in("platform-admin").get("/api/plugins")).json()["items"]
    assert [p["state"] for p in items] == ["disabled"]
    assert not mark.exists()


async def test_boot_failure_abort_refuses_to_start(tmp_path: Path, write_plugin: WritePlugin) -> None:
    from openlakes_portal._host.portal import BootFailed

    bad = write_plugin("bad", "raise RuntimeError('x')", manifest=False)
    with pytest.raises(BootFailed, match="bad"):
        async with portal_for(tmp_path / "portal", {"server": {"boot_failure": "abort"}}, [bad]):
            pass
