"""How the plugin stands in a portal: light at the start, truthful without an engine, nothing outlives its parent."""

import asyncio
import json
import sys
from pathlib import Path

from openlakes_portal.testing import candidate_for, portal_for
from openlakes_portal_trino import plugin

from .conftest import Lakehouse

HEAVY = "duckdb pyarrow trino pyiceberg requests orjson sqlglot"

AT_START = """
import asyncio, json, sys
from pathlib import Path
from openlakes_portal.testing import candidate_for, portal_for
from openlakes_portal_trino import plugin

async def main():
    settings = {"plugins": {"trino": json.loads(sys.argv[2])}}
    async with portal_for(Path(sys.argv[1]), settings, [candidate_for("trino", plugin)]) as portal:
        assert (await portal.anonymous.get("/api/ready")).status_code == 200
        print("heavy:", sorted(set(sys.argv[3].split()) & set(sys.modules)))

asyncio.run(main())
"""


async def test_nothing_heavy_is_imported_at_the_start(lakehouse: Lakehouse, tmp_path: Path) -> None:
    settings = json.dumps({**lakehouse.settings, "trino": {"address": "http://127.0.0.1:9"}})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AT_START, str(tmp_path / "portal"), settings, HEAVY), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert [line for line in output.decode().splitlines() if line.startswith("heavy:")] == ["heavy: []"]


CHECKED = """
import json, sys
from openlakes_portal_trino.embedded.checkup import Checkup
from openlakes_portal_trino.embedded.metadata import Metadata
from openlakes_portal_trino.settings import Settings

report = Checkup(Metadata(Settings.model_validate(json.loads(sys.argv[1])).duckdb.catalogs)).round()
print(json.dumps([report.state, report.cause, "pyarrow" in sys.modules, "duckdb" in sys.modules]))
"""


async def test_a_look_at_every_table_takes_no_arrow(lakehouse: Lakehouse) -> None:
    """The health check runs in every portal, also where nobody asks anything: Arrow alone is 90 MB."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHECKED, json.dumps(lakehouse.settings)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert json.loads(output) == ["healthy", None, False, False]


async def test_without_an_engine_the_plugin_says_so(tmp_path: Path) -> None:
    async with portal_for(tmp_path / "portal", {}, [candidate_for("trino", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        assert (await engineer.get("/api/plugins/trino/engines")).json()["items"] == []
        assert (await engineer.get("/api/plugins/trino/catalogs")).status_code == 404
        refused = await engineer.post("/api/plugins/trino/queries", json={"sql": "SELECT 1"})
        assert refused.status_code == 422
        assert "No SQL engine is configured" in refused.json()["detail"]
