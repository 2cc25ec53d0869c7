"""Where things lie: the checkout, its packages, and the cache outside the tree."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """Downloads that outlive a checkout: `OPENLAKES_CACHE`, else the folder of the XDG specification."""
    named = os.environ.get("OPENLAKES_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openlakes"


@dataclass(frozen=True)
class Checkout:
    """One working copy of the repository."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def constraints(self) -> Path:
        return self.root / "constraints.txt"

    @property
    def dev_requirements(self) -> Path:
        return self.root / "tools" / "dev-requirements.in"

    @property
    def plugins(self) -> list[Path]:
        """Folders of the plugins that are here, by name."""
        return sorted(path.parent for path in self.root.glob("plugins/*/pyproject.toml"))

    @property
    def distributions(self) -> list[Path]:
        """Folders that hold a Python distribution of ours: core first."""
        others = [self.root / "stack"] if (self.root / "stack" / "pyproject.toml").is_file() else []
        return [self.root / "core", *self.plugins, *others]

    @property
    def user_interfaces(self) -> list[Path]:
        """npm packages of the workspace: core's console first, because plugins build against it."""
        folders = [self.root / "core" / "ui", *(plugin / "ui" for plugin in self.plugins)]
        return [folder for folder in folders if (folder / "package.json").is_file()]


def source_package(distribution: Path) -> Path:
    """The one import package of a distribution, `<distribution>/src/<package>`."""
    packages = [path.parent for path in sorted(distribution.glob("src/*/__init__.py"))]
    if len(packages) != 1:
        raise RuntimeError(f"{distribution}/src must hold exactly one package, and holds {len(packages)}")
    return packages[0]
