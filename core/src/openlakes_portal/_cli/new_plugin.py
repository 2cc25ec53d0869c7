"""`openlakes plugin new NAME`: a package with a page, a route, a health check, a nav entry, and tests that pass."""

import string
import sys
from importlib.resources import files
from pathlib import Path

from openlakes_portal._host.discovery import ID, MAX_ID, RESERVED

FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "src/$package/plugin.py": "plugin.py.txt",
    "tests/conftest.py": "conftest.py.txt",
    "tests/test_plugin.py": "test_plugin.py.txt",
}


def create(plugin_id: str, directory: Path) -> int:
    """Write the plugin into `directory`/openlakes-portal-NAME. Overwrites nothing."""
    if not ID.match(plugin_id) or len(plugin_id) > MAX_ID or plugin_id in RESERVED:
        print(
            f"openlakes plugin new: {plugin_id!r} is no plugin id: lower-case letters and digits joined by '-', "
            f"at most {MAX_ID} characters, not {', '.join(sorted(RESERVED))}",
            file=sys.stderr,
        )
        return 2
    target = directory / f"openlakes-portal-{plugin_id}"
    if target.exists():
        print(f"openlakes plugin new: {target} is there already", file=sys.stderr)
        return 1
    package = f"openlakes_portal_{plugin_id.replace('-', '_')}"
    values = {"id": plugin_id, "package": package, "title": plugin_id.replace("-", " ").replace("_", " ").capitalize()}
    template = files("openlakes_portal._cli") / "template"
    for path, source in FILES.items():
        file = target / string.Template(path).substitute(values)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(string.Template((template / source).read_text("utf-8")).substitute(values), "utf-8")
    init = target / "src" / package / "__init__.py"
    init.write_text(f'"""{values["title"]} for OpenLakes Portal."""\n', "utf-8")
    print(f"Wrote {target}. Next:\n\n  cd {target}\n  pip install -e '.[test]'\n  pytest\n  openlakes demo\n")
    return 0
