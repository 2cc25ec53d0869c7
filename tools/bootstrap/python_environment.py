"""The virtual environment `.venv`: made once, filled from constraints.txt, filled again when its inputs change."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bootstrap.machine import install_debian_package
from bootstrap.paths import Checkout
from bootstrap.process import Failure, must, run, say
from bootstrap.stamps import digest, is_fresh, write_stamp

UV_VERSION = "0.13.9"
REGISTRY_HELP = "Is the package registry within reach? Settings of pip (PIP_INDEX_URL, PIP_CERT) are used as they are."


def prepare(checkout: Checkout, for_development: bool) -> None:
    """Install what is locked: the packages alone, or with the tools for tests and lint."""
    wanted = _wanted(checkout, for_development)
    stamp = checkout.venv / ("development.stamp" if for_development else "runtime.stamp")
    if is_fresh(stamp, wanted) and checkout.python.exists():
        return
    prepare_uv(checkout)
    _remove_distributions_that_went(checkout)
    say("Python packages: installing what constraints.txt locks")
    editable = [word for folder in checkout.distributions for word in ("-e", str(folder))]
    development = ["-r", str(checkout.dev_requirements)] if for_development else []
    locked = ["-c", str(checkout.constraints), "-b", str(checkout.constraints)]
    command = [*uv(checkout), "pip", "install", "--python", str(checkout.python), *locked, *development, *editable]
    # The console is built by the set-up itself, where a stamp knows whether it is needed.
    env = {**uv_environment(), "OPENLAKES_SKIP_UI": "1"}
    must(command, f"The Python packages could not be installed. {REGISTRY_HELP}", env=env)
    write_stamp(stamp, wanted)


def prepare_uv(checkout: Checkout) -> None:
    """An environment with the pinned uv in it, and nothing else yet."""
    _make_venv(checkout)
    _install_uv(checkout)


def uv(checkout: Checkout) -> list[str]:
    """The pinned uv of this environment."""
    return [str(checkout.venv / "bin" / "uv")]


def uv_environment() -> Mapping[str, str]:
    """uv reads none of pip's settings: hand it those that decide whether a site can install at all."""
    pairs = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "UV_INDEX": "PIP_EXTRA_INDEX_URL", "SSL_CERT_FILE": "PIP_CERT"}
    return {ours: os.environ[pip] for ours, pip in pairs.items() if pip in os.environ and ours not in os.environ}


def _wanted(checkout: Checkout, for_development: bool) -> str:
    inputs = [folder / "pyproject.toml" for folder in checkout.distributions]
    inputs += [checkout.constraints, *([checkout.dev_requirements] if for_development else [])]
    return digest(checkout.root, inputs, str(checkout.root), sys.version, UV_VERSION)


def _make_venv(checkout: Checkout) -> None:
    if _works(checkout.python):
        return
    say(f"Python environment: making .venv with Python {sys.version.split()[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(checkout.venv)]
    if run(command) == 0:
        return
    # Debian ships the module without what it needs.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if install_debian_package(f"python{version}-venv") and run(command) == 0:
        return
    raise Failure(f"No virtual environment could be made. On Debian and Ubuntu: apt-get install python{version}-venv")


def _works(python: Path) -> bool:
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(python), "-c", check], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _install_uv(checkout: Checkout) -> None:
    if _answers([*uv(checkout), "--version"]).split()[1:2] == [UV_VERSION]:
        return
    say(f"Python packages: installing uv {UV_VERSION}")
    command: list[str | Path] = [
        checkout.python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        f"uv=={UV_VERSION}",
    ]
    must(command, f"uv could not be installed. {REGISTRY_HELP}")


def _answers(command: list[str]) -> str:
    """What a command prints; nothing when it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _remove_distributions_that_went(checkout: Checkout) -> None:
    """A plugin whose folder was removed would still be announced by its entry point: take it out."""
    for record in checkout.venv.glob("lib/python*/site-packages/openlakes_portal*.dist-info/direct_url.json"):
        folder = Path(unquote(urlsplit(json.loads(record.read_text())["url"]).path))
        if folder.is_dir():
            continue
        name = record.parent.name.split("-")[0]
        say(f"Python packages: {name} is no longer here; removing it")
        must([*uv(checkout), "pip", "uninstall", "--python", checkout.python, name], f"{name} could not be removed.")
