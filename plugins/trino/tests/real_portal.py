"""A portal in front of the real Trino: it signs with the key that the server knows, so each persona is known there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from openlakes_portal.testing import PortalUnderTest, candidate_for, portal_for
from openlakes_portal_trino import plugin

API = "/api/plugins/trino"
BIG = "SELECT count(*) FROM tpch.sf10.lineitem a CROSS JOIN tpch.sf10.lineitem b WHERE a.orderkey + b.orderkey = -1"
"""Runs for hours, and reads splits and rows while its percentage says nothing."""


@asynccontextmanager
async def portal_of(server: Any, folder: Path, **settings: Any) -> AsyncIterator[PortalUnderTest]:
    """The portal; `settings` are further ones of the plugin."""
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "issuer-es256.pem").write_bytes(server.key.as_pem(private=True))
    trino = {"address": server.url, "verify": str(server.certificate), "audience": "trino", "web_page": True}
    site = {
        "server": {"public_url": server.issuer, "data_dir": str(data)},
        "plugins": {"trino": {"trino": trino, **settings}},
    }
    async with portal_for(folder, site, [candidate_for("trino", plugin)]) as portal:
        yield portal
