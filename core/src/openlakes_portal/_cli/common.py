"""What commands share: reading settings with errors in words."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openlakes_portal._settings.errors import SettingsError
from openlakes_portal._settings.load import LoadedSettings, load


def load_or_explain(
    config: Path | None, overlay: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None
) -> LoadedSettings | None:
    """The settings, or None after each problem was printed."""
    try:
        return load(config, overlay=overlay, overrides=overrides)
    except SettingsError as error:
        print("The settings cannot be used:", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        return None
