"""`openlakes plugin list|check|new`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._host.context import Runtime
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.discovery import Candidate, discover
from openlakes_portal._host.journal import Journal
from openlakes_portal._host.loader import Loader, LoadLimits
from openlakes_portal._host.records import PluginRecord
from openlakes_portal._settings.load import LoadedSettings, normalise


def main(arguments: Sequence[str]) -> int:
    """Run one of the three."""
    parser = argparse.ArgumentParser("openlakes plugin", description="Plugins.")
    commands = parser.add_subparsers(dest="what", required=True, metavar="list|check|new")
    listing = commands.add_parser("list", help="installed plugins and their state")
    checking = commands.add_parser("check", help="the conformance kit, with readable findings")
    checking.add_argument("name", nargs="?", help="one plugin (default: all)")
    creating = commands.add_parser("new", help="a new plugin, tested, from a template")
    creating.add_argument("name", help="its id: lower-case words joined by '-'")
    creating.add_argument("--directory", type=Path, default=Path(), help="where to (default: here)")
    for command in (listing, checking):
        command.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
        command.add_argument("--json", action="store_true", help="for a machine to read")
    options = parser.parse_args(arguments)
    if options.what == "new":
        from openlakes_portal._cli.new_plugin import create

        return create(str(options.name), Path(options.directory))
    loaded = load_or_explain(options.config)
    if loaded is None:
        return 1
    if options.what == "list":
        return _list(loaded, options.json)
    return _check(loaded, options.name, options.json)


def _list(loaded: LoadedSettings, as_json: bool) -> int:
    records = load_records(loaded)
    if as_json:
        print(json.dumps([asdict(r) for r in records], indent=2))
    elif not records:
        print("No plugins are installed. `openlakes plugin new NAME` writes one.")
    else:
        width = max(len(r.id) for r in records)
        for record in records:
            print(f"{record.id:<{width}}  {record.version:<10}  {record.state}")
            if record.state == "quarantined":
                print(f"{'':<{width}}  at {record.stage}: {record.reason}\n{'':<{width}}  remedy: {record.remedy}")
    return 1 if any(r.state == "quarantined" for r in records) else 0


def load_records(loaded: LoadedSettings) -> list[PluginRecord]:
    """Load every installed plugin as the portal does, and say how that went."""
    with tempfile.TemporaryDirectory(prefix="openlakes-list-") as folder:
        limits = loaded.settings.limits
        runtime = Runtime(Path(folder), loaded.settings.server.public_url)
        journal = Journal(loaded.settings.server.data_dir / "run")
        loader = Loader(loaded, runtime, journal, LoadLimits(limits.import_deadline, limits.hook_deadline))
        results = [loader.load(candidate) for candidate in discover()]
    return [r.record if isinstance(r, Contribution) else r for r in results]


def _check(loaded: LoadedSettings, name: str | None, as_json: bool) -> int:
    from openlakes_portal.testing.conformance import check_plugin

    candidates: list[Candidate] = discover()
    if name is not None:
        candidates = [c for c in candidates if normalise(c.id) == normalise(name)]
        if not candidates:
            print(f"openlakes plugin check: no plugin {name!r} is installed in this environment", file=sys.stderr)
            return 2
    found = {c.id: check_plugin(c, loaded.plugin(c.id)) for c in candidates}
    if as_json:
        print(json.dumps({plugin: [asdict(f) for f in findings] for plugin, findings in found.items()}, indent=2))
    else:
        for plugin, findings in found.items():
            failures = sum(f.level == "failure" for f in findings)
            print(f"{plugin}: {f'{failures} to mend' if failures else 'conforms'}")
            for finding in findings:
                print(f"  {finding}")
    return 1 if any(f.level == "failure" for findings in found.values() for f in findings) else 0
