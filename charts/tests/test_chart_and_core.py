"""The chart and the portal understand each other: settings are read by core, packages are installed beside it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import environments
from bootstrap.paths import ROOT, Checkout
from bootstrap.python_environment import uv
from rendered import Rendered, render
from test_chart import VALUES

HERE = Checkout(ROOT)
SECRETS = "/run/openlakes/secrets"
GUEST_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "acme-guest"
version = "1.0"
dependencies = ["openlakes-portal>=0.1,<1"]
[project.entry-points."openlakes_portal.plugins"]
guest = "acme_guest"
"""
GUEST = """\
from openlakes_portal.spi import PluginManifest, hookimpl


@hookimpl
def plugin_manifest() -> PluginManifest:
    return PluginManifest(id="guest", title="Guest", contract="1.0", owner="acme", docs="https://acme.example")
"""


def mounted(release: Rendered, folder: Path) -> Path:
    """The settings file as a pod sees it, with the Secrets' files below `folder`."""
    text = release.one("ConfigMap")["data"]["settings.yaml"]
    for file in re.findall(rf"{SECRETS}/[^\"]+", text):
        path = folder / Path(file).relative_to(SECRETS)
        path.parent.mkdir(parents=True, exist_ok=True)
        # 32 bytes as hex: right for a key, and good enough for every other secret.
        path.write_text("sqlite:///ignored" if path.name == "url" else "5e" * 32)
    (folder / "settings.yaml").write_text(text.replace(SECRETS, str(folder)))
    return folder / "settings.yaml"


@pytest.mark.parametrize("name", VALUES)
def test_core_reads_the_settings_that_the_chart_writes(name: str, tmp_path: Path) -> None:
    settings = mounted(render(VALUES[name]), tmp_path)
    env = {key: value for key, value in os.environ.items() if not key.startswith("OPENLAKES_")}
    command = [str(Path(sys.executable).with_name("openlakes")), "config", "show", "--json", "--config", str(settings)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
    assert "5e5e" not in done.stdout


def test_core_refuses_a_section_that_it_does_not_have(tmp_path: Path) -> None:
    settings = mounted(render({"settings": {"limits": {"bodies": 1}}}), tmp_path)
    command = [str(Path(sys.executable).with_name("openlakes")), "config", "show", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "limits.bodies" in done.stdout + done.stderr


def test_every_section_of_cores_settings_can_be_set_by_values() -> None:
    command = [str(Path(sys.executable).with_name("openlakes")), "config", "schema"]
    sections = set(json.loads(subprocess.check_output(command, text=True))["properties"])
    schema = json.loads((ROOT / "charts" / "openlakes-portal" / "values.schema.json").read_text())["properties"]
    assert sections == (set(schema["settings"]["properties"]) | {"auth", "database", "security", "plugins"})


@pytest.mark.slow
def test_the_init_container_adds_a_plugin_to_what_the_image_holds(tmp_path: Path) -> None:
    """Its very command, with folders of ours instead of the pod's, in an environment that stands for the image."""
    image = environments.make(HERE, tmp_path / "image", "pip", editable=[ROOT / "core"])
    # Like the image, and unlike other environments, it looks into a user's own installation.
    config = image.folder / "pyvenv.cfg"
    config.write_text(
        config.read_text().replace("include-system-site-packages = false", "include-system-site-packages = true")
    )
    wheels = _guest_wheel(tmp_path)
    release = render(
        {
            "plugins": {"guest": {"package": "acme-guest==1.0"}},
            "packages": {"offline": True, "wheels": {"emptyDir": {}}},
        }
    )
    packages = tmp_path / "packages.txt"
    packages.write_text(release.one("ConfigMap")["data"]["packages.txt"])
    (container,) = release.pod["initContainers"]
    places = {"/opt/openlakes": str(ROOT), "/etc/openlakes/packages.txt": str(packages), "/wheels": str(wheels)}
    command = [_placed(word, places) for word in [*container["command"], *container["args"]]]
    env = {**image.variables, "PYTHONUSERBASE": str(tmp_path / "plugins")}
    done = subprocess.run([str(image.python), *command[1:]], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = subprocess.run(
        [str(image.folder / "bin" / "openlakes"), "plugin", "list", "--json"], env=env, capture_output=True, text=True
    )
    assert "guest" in listed.stdout, listed.stdout + listed.stderr
    installed = {path.name for path in tmp_path.glob("plugins/lib/python*/site-packages/*.dist-info")}
    assert installed == {"acme_guest-1.0.dist-info"}, "only what the image lacks is added"


def _guest_wheel(folder: Path) -> Path:
    source = folder / "guest"
    (source / "acme_guest").mkdir(parents=True)
    (source / "pyproject.toml").write_text(GUEST_PYPROJECT)
    (source / "acme_guest" / "__init__.py").write_text(GUEST)
    command = [
        *uv(HERE),
        "build",
        "--quiet",
        "--wheel",
        "-b",
        str(HERE.constraints),
        "--out-dir",
        str(folder / "wheels"),
    ]
    subprocess.run([*command, str(source)], check=True)
    return folder / "wheels"


def _placed(word: str, places: dict[str, Any]) -> str:
    for inside, outside in places.items():
        word = word.replace(inside, outside)
    return word
