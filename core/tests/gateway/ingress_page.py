"""What docs/operators/gateway.md has ingresses configured with, put to work on this machine."""

import re

from bootstrap.paths import ROOT
from real_servers import child

from .real import PORTAL_HOST

PAGE = ROOT / "docs" / "operators" / "gateway.md"


def block(name: str, portal: int, app: int, host: str, listen: int) -> str:
    """The block of an ingress, by its name, with these ports of this machine and this host for the ones that the page
    shows; it listens on `listen`."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, name
    here = {
        "portal.internal:8600": f"127.0.0.1:{portal}",
        "portal.internal, port_value: 8600": f"127.0.0.1, port_value: {portal}",
        "app.internal:8080": f"127.0.0.1:{app}",
        "app.internal, port_value: 8080": f"127.0.0.1, port_value: {app}",
        "wiki.lake.example": host.partition(":")[0],
        "lake.example": PORTAL_HOST.partition(":")[0],
        "8443": str(listen),
        "8444": str(child.free_port()),
    }
    # All at once: a port of this machine may look like one of the page.
    return re.sub("|".join(map(re.escape, here)), lambda example: here[example[0]], found[1])
