"""`openlakes config schema|show`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._settings.load import effective
from openlakes_portal._settings.model import Settings


def main(arguments: Sequence[str]) -> int:
    """Print the schema, or what is in force."""
    parser = argparse.ArgumentParser("openlakes config", description="The settings.")
    parser.add_argument("what", choices=("schema", "show"), help="JSON Schema of all settings; effective settings")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
    parser.add_argument("--json", action="store_true", help="for a machine to read")
    options = parser.parse_args(arguments)
    if options.what == "schema":
        print(json.dumps(Settings.model_json_schema(), indent=2))
        return 0
    loaded = load_or_explain(options.config)
    if loaded is None:
        return 1
    found = [s for s in effective(loaded.settings, loaded.sources) if s.key != "plugins"]
    plugins = {f"plugins.{k}": source for k, source in _plugin_keys(loaded.sources).items()}
    if options.json:
        items = [{"key": s.key, "value": s.value, "source": s.source, "description": s.description} for s in found]
        items += [{"key": k, "value": None, "source": s, "description": "set for a plugin"} for k, s in plugins.items()]
        print(json.dumps(items, indent=2, default=str))
        return 0
    width = max(len(s.key) for s in found)
    for setting in found:
        print(f"{setting.key:<{width}}  {json.dumps(setting.value, default=str)}  ({setting.source})")
    for key, source in plugins.items():
        print(f"{key:<{width}}  (set by {source}; its plugin knows whether it is secret)")
    return 0


def _plugin_keys(sources: object) -> dict[str, str]:
    assert hasattr(sources, "items")
    return {key.removeprefix("plugins."): source for key, source in sources.items() if key.startswith("plugins.")}
