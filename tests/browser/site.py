"""A folder of installed third-party plugins, as pip leaves one: packages and their metadata. On PYTHONPATH they are
installed; without it they are removed."""

import shutil
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent.parent / "third_party"
ALL = ("acme-declared", "acme-module", "acme-broken")


def install(folder: Path, plugins: Iterable[str] = ALL) -> Path:
    """Put these plugins into `folder`."""
    for plugin in plugins:
        package = plugin.replace("-", "_")
        shutil.copytree(HERE / package, folder / package)
        metadata = folder / f"{package}-1.2.3.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 1.2.3\n")
        (metadata / "entry_points.txt").write_text(f"[openlakes_portal.plugins]\n{plugin} = {package}.plugin\n")
    return folder
