"""Wheels of core, of each plugin and of the stack: complete, and enough for a machine without node."""

import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import environments
import served
from bootstrap import locking
from bootstrap.paths import ROOT, Checkout, source_package
from bootstrap.python_environment import uv, uv_environment

HERE = Checkout(ROOT)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """The wheel of a distribution's folder, built once a run."""
    target, built = tmp_path_factory.mktemp("wheels"), dict[Path, Path]()

    def build(folder: Path) -> Path:
        if folder not in built:
            command = [*uv(HERE), "build", "--quiet", "--wheel", "-b", str(HERE.constraints), "--out-dir", str(target)]
            before = set(target.glob("*.whl"))
            subprocess.run([*command, str(folder)], check=True, env={**_environ(), **uv_environment()})
            (built[folder],) = set(target.glob("*.whl")) - before
        return built[folder]

    return build


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "OPENLAKES_SKIP_UI"}


@pytest.mark.parametrize("folder", HERE.distributions, ids=lambda folder: folder.name)
def test_a_wheel_holds_sources_licence_types_and_the_built_interface(
    wheel: Callable[[Path], Path], folder: Path
) -> None:
    package = source_package(folder)
    with zipfile.ZipFile(wheel(folder)) as archive:
        names = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    ours = {path.relative_to(package.parent).as_posix() for path in package.rglob("*.py")}
    assert ours <= names
    assert f"{package.name}/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "License-Expression: Apache-2.0" in metadata
    assert not [
        name for name in names if "/tests/" in name or "node_modules" in name or name.endswith(".source-sha256")
    ]
    if folder / "ui" in HERE.user_interfaces:
        assert any(name.startswith(f"{package.name}/static/") and name.endswith(".js") for name in names)


def test_core_alone_serves_without_plugins_and_without_node(wheel: Callable[[Path], Path], tmp_path: Path) -> None:
    environment = environments.make(HERE, tmp_path / "venv", wheel(HERE.root / "core"))
    with served.demo(environment, tmp_path / "run") as portal:
        plugins = portal.ask("/api/plugins", headers=portal.sign_in("platform-admin")).json()["items"]
        assert [each for each in plugins if each["state"] == "quarantined"] == []
        _assert_console(portal)


def test_everything_installed_from_wheels_serves_console_plugins_and_data(
    wheel: Callable[[Path], Path], tmp_path: Path
) -> None:
    environment = environments.make(HERE, tmp_path / "venv", *map(wheel, HERE.distributions))
    with served.demo(environment, tmp_path / "run") as portal:
        assert portal.ask("/api/session").status == 401
        session = portal.sign_in("data-engineer")
        assert portal.ask("/api/session", headers=session).json()["username"] == "data-engineer"
        admin = portal.sign_in("platform-admin")
        states = {each["id"]: each["state"] for each in portal.ask("/api/plugins", headers=admin).json()["items"]}
        for folder in HERE.plugins:
            for name in locking.project(folder)["entry-points"]["openlakes_portal.plugins"]:
                assert states[name] == "active"
        _assert_console(portal)


def _assert_console(portal: served.Served) -> None:
    """The page itself, and every file that it names."""
    page = portal.ask("/", headers={"Accept": "text/html"})
    assert page.status == 200, page.body
    assert page.headers["content-type"].startswith("text/html")
    text = page.body.decode()
    files = set(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', text))
    assert any(file.endswith(".js") for file in files), text
    for file in files:
        answer = portal.ask(file)
        assert answer.status == 200, file
        wanted = "text/javascript" if file.endswith(".js") else "text/css"
        assert answer.headers["content-type"].startswith(wanted)
        assert answer.body


def test_pip_itself_installs_from_a_checkout_with_the_constraints(tmp_path: Path) -> None:
    subprocess.run(["python3", "-m", "venv", tmp_path / "venv"], check=True)
    folders = [str(folder) for folder in HERE.distributions]
    options = ["--dry-run", "--quiet", "--disable-pip-version-check", "-c", str(HERE.constraints)]
    env = {**_environ(), "OPENLAKES_SKIP_UI": "1"}
    command = [str(tmp_path / "venv" / "bin" / "pip"), "install", *options, *folders]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=HERE.root)
    assert done.returncode == 0, done.stdout + done.stderr
