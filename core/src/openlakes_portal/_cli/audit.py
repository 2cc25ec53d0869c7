"""`openlakes audit export|verify`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic_core import to_json

from openlakes_portal._audit.log import AuditLog
from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._settings.load import LoadedSettings
from openlakes_portal._store.database import Database, database_url
from openlakes_portal.spi import Unavailable


def main(arguments: Sequence[str]) -> int:
    """Export the records; the chain that `verify` needs comes with the next version."""
    parser = argparse.ArgumentParser("openlakes audit", description="The audit log.")
    parser.add_argument("what", choices=("export", "verify"))
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where to (default: standard output)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
    options = parser.parse_args(arguments)
    if options.what == "verify":
        print("openlakes audit verify: records are not chained in this version (docs/roadmap.md).", file=sys.stderr)
        return 2
    loaded = load_or_explain(options.config)
    if loaded is None:
        return 1
    try:
        return asyncio.run(_export(loaded, options.file))
    except Unavailable as error:
        print(f"openlakes audit: {error.detail}", file=sys.stderr)
        return 1


async def _export(loaded: LoadedSettings, target: Path | None) -> int:
    url = loaded.settings.database.url
    database = Database(
        database_url(url.get_secret_value() if url else None, loaded.settings.server.data_dir),
        busy_timeout=loaded.settings.database.busy_timeout,
    )
    log, cursor = AuditLog(database), None
    out = target.open("wb") if target else sys.stdout.buffer
    try:
        while True:
            page = await log.read(limit=500, cursor=cursor)
            for record in page.items:
                out.write(to_json(asdict(record)) + b"\n")
            cursor = page.next_cursor
            if cursor is None:
                return 0
    finally:
        if target:
            out.close()
        await database.close()
