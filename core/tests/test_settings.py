"""Settings: one typed tree from file and environment, each value with its source, mistakes named with the way out."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from openlakes_portal._settings.errors import SettingsError
from openlakes_portal._settings.load import MASK, effective, load


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def problems(config: Path | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(config, environ or {})
    return "\n".join(map(str, caught.value.problems))


def test_the_environment_wins_over_the_file_and_each_value_knows_its_source(tmp_path: Path) -> None:
    file = write(tmp_path, "server: {title: From file, port: 9000}\n")
    loaded = load(file, {"OPENLAKES_SERVER__PORT": "9001"}, overlay={"server": {"title": "Demo", "host": "::1"}})
    server = loaded.settings.server
    assert (server.title, server.port, server.host) == ("From file", 9001, "::1")
    assert [loaded.sources[f"server.{k}"] for k in ("title", "port", "host")] == ["file", "environment", "demo"]


def test_the_file_is_named_by_the_environment_too(tmp_path: Path) -> None:
    file = write(tmp_path, "server: {title: Named}\n")
    assert load(None, {"OPENLAKES_CONFIG": str(file)}).settings.server.title == "Named"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server: {publik_url: x}", "server.publik_url (file): unknown key; did you mean 'public_url'?"),
        ("sever: {}", "did you mean 'server'?"),
        ("auth: {session: {idle_timeot: 5}}", "did you mean 'idle_timeout'?"),
        ("server: {port: many}", "server.port (file)"),
        ("server: {port: 70000}", "less than or equal to 65535"),
        ("server: {public_url: 'ftp://x'}", "must be an http(s) address"),
        ("rbac: {role_bindings: [{role: viewer}]}", "either a group or a subject"),
        ("[1, 2]", "must hold a mapping"),
        ("server: {a: 1", "is not valid YAML"),
        ("server: {title: a}\nserver: {title: b}", "duplicate key 'server'"),
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        ("server: !!python/object/apply:os.system ['true']", "is not valid YAML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_nearest_name(tmp_path: Path, text: str, words: str) -> None:
    assert words in problems(write(tmp_path, text))


def test_an_unknown_environment_variable_is_refused_too() -> None:
    assert "did you mean 'title'?" in problems(environ={"OPENLAKES_SERVER__TITEL": "x"})


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    assert len(problems(write(tmp_path, "server: {port: 0, tittle: x}\nlimits: {rate: -1}")).splitlines()) == 3


def test_lists_and_maps_in_the_environment_are_json() -> None:
    environ = {"OPENLAKES_RBAC__ROLE_BINDINGS": '[{"role": "viewer", "group": "all"}]'}
    assert load(None, environ).settings.rbac.role_bindings[0].group == "all"
    assert "starts like JSON" in problems(environ={"OPENLAKES_RBAC__ROLE_BINDINGS": "[oops"})


def test_a_plugin_id_with_a_dash_is_written_with_an_underscore_in_the_environment() -> None:
    environ = {"OPENLAKES_PLUGINS__ACME_THING__ADDRESS": "http://a", "OPENLAKES_PLUGINS__ACME_THING__ENABLED": "false"}
    loaded = load(None, environ, overlay={"plugins": {"acme-thing": {"address": "http://b", "size": 1}}})
    assert loaded.plugin("acme-thing") == {"address": "http://a", "size": 1, "enabled": "false"}
    assert loaded.plugin_sources("acme-thing")["address"] == "environment"


def test_secrets_come_from_files_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-a-file\n")
    monkeypatch.setenv("THE_URL", "sqlite:///x")
    text = yaml.safe_dump({"security": {"key": {"file": str(secret)}}, "database": {"url": {"env": "THE_URL"}}})
    loaded = load(write(tmp_path, text), dict(os.environ))
    assert loaded.settings.security.key is not None
    assert loaded.settings.security.key.get_secret_value() == "from-a-file"
    assert loaded.settings.database.url is not None
    assert loaded.settings.database.url.get_secret_value() == "sqlite:///x"


def test_secrets_in_a_list_may_be_references_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_text("from-a-file\n")
    monkeypatch.setenv("THE_OLDER", "from-the-environment")
    references = [{"file": str(tmp_path / "old")}, {"env": "THE_OLDER"}, "plain"]
    loaded = load(write(tmp_path, yaml.safe_dump({"security": {"previous_keys": references}})), dict(os.environ))
    found = [key.get_secret_value() for key in loaded.settings.security.previous_keys]
    assert found == ["from-a-file", "from-the-environment", "plain"]
    missing = yaml.safe_dump({"security": {"previous_keys": [{"file": "/nowhere/at/all"}]}})
    assert "does not exist" in problems(write(tmp_path, missing))


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ({"env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"file": "/nowhere/at/all"}, "does not exist"),
        ({"vault": "kv/portal#key"}, "needs a provider of secrets, and none is installed"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path, reference: dict[str, str], words: str) -> None:
    assert words in problems(write(tmp_path, yaml.safe_dump({"security": {"key": reference}})))


def test_effective_settings_mask_secrets_and_never_hold_them(tmp_path: Path) -> None:
    overlay: dict[str, Any] = {"database": {"url": "postgresql://u:canary@h/d"}, "security": {"key": "canary"}}
    loaded = load(None, {}, overlay=overlay)
    found = {s.key: s for s in effective(loaded.settings, loaded.sources)}
    assert found["database.url"].value == MASK
    assert found["security.key"].secret
    assert "canary" not in repr(found)
    assert "canary" not in repr(loaded.settings)


def test_a_wrong_secret_is_not_repeated_in_the_error() -> None:
    assert "canary" not in problems(environ={"OPENLAKES_AUTH__OIDC__CLIENT_SECRET": '{"x": "canary"}'})
