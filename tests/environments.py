"""Empty Python environments, filled with chosen distributions of ours and nothing else."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.paths import Checkout
from bootstrap.python_environment import uv, uv_environment


@dataclass(frozen=True)
class Environment:
    """A virtual environment outside the checkout."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def variables(self) -> dict[str, str]:
        """For a process in it: no node, no settings of ours, no Python but its own on PATH."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENLAKES_", "PYTHON"))}
        return {**kept, "PATH": str(self.folder / "bin")}

    def run(self, *words: str | Path, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment; output and error come together."""
        program, *rest = map(str, words)
        return subprocess.run(
            [str(self.folder / "bin" / program), *rest],
            cwd=cwd,
            env=self.variables,
            text=True,
            timeout=timeout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def make(checkout: Checkout, folder: Path, *requirements: str | Path, editable: Sequence[Path] = ()) -> Environment:
    """An environment with these requirements at the locked versions, and these folders as editable installs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    environment = Environment(folder)
    install(checkout, environment, *requirements, editable=editable)
    return environment


def install(
    checkout: Checkout, environment: Environment, *requirements: str | Path, editable: Sequence[Path] = ()
) -> None:
    """Further requirements and editable folders into an environment, at the locked versions."""
    words = [str(word) for word in requirements] + [word for path in editable for word in ("-e", str(path))]
    locked = ["-c", str(checkout.constraints), "-b", str(checkout.constraints)]
    command = [*uv(checkout), "pip", "install", "--quiet", "--python", str(environment.python), *locked, *words]
    env = {**os.environ, **uv_environment(), "OPENLAKES_SKIP_UI": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout}{done.stderr}")
