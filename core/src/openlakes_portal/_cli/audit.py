"""`openlakes audit export|verify|key`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._settings.load import LoadedSettings
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.keyring import KeyringError, load_keyring
from openlakes_portal.spi import Unavailable

if TYPE_CHECKING:
    from openlakes_portal._audit.statements import Statements
    from openlakes_portal._audit.verify import Report

DESCRIPTION = """\
The audit log.

  export [FILE]     all records as JSON lines, with what shows that none is missing
  verify [FILE ...] exports and archives, by themselves; without a file, the database
  key               the public key that signed it (a JWK set), for whoever verifies elsewhere
"""


def main(arguments: Sequence[str]) -> int:
    """Export the log, verify it, show its public key."""
    parser = argparse.ArgumentParser(
        "openlakes audit", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("export", "verify", "key"))
    parser.add_argument(
        "file", nargs="*", type=Path, metavar="FILE", help="where to (default: standard output), or what"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="verify: the public keys to believe (a JWK, or a set)")
    parser.add_argument(
        "--at-least", type=int, metavar="N", default=0, help="verify: the number of a statement that must be there"
    )
    parser.add_argument("--json", action="store_true", help="verify: the findings as JSON")
    options = parser.parse_args(arguments)
    if options.what != "verify" and len(options.file) > (options.what == "export"):
        parser.error(f"{options.what} takes at most {'one file' if options.what == 'export' else 'no file'}")
    try:
        if options.what == "verify" and options.file:
            return _verify_files(options)
        loaded = load_or_explain(options.config)
        return 1 if loaded is None else asyncio.run(_with_database(loaded, options))
    except (Unavailable, KeyringError, OSError, ValueError) as error:
        print(f"openlakes audit: {getattr(error, 'detail', error)}", file=sys.stderr)
        return 1


async def _with_database(loaded: LoadedSettings, options: argparse.Namespace) -> int:
    from openlakes_portal._audit.statements import Statements
    from openlakes_portal._store.migrate import check

    settings = loaded.settings
    url = settings.database.url
    database = Database(
        database_url(url.get_secret_value() if url else None, settings.server.data_dir),
        busy_timeout=settings.database.busy_timeout,
    )
    try:
        await check(database)
        if options.what == "verify":
            return await _verify_database(database, options)
        key = settings.audit.signing_key
        statements = Statements(
            database, load_keyring(settings), given_key=key.get_secret_value() if key is not None else None
        )
        if options.what == "key":
            print(json.dumps({"keys": await _known_keys(database, statements)}, indent=2))
            return 0
        return await _export(database, statements, settings.server.public_url, options)
    finally:
        await database.close()


async def _known_keys(database: Database, statements: "Statements") -> list[dict[str, Any]]:
    from openlakes_portal._audit.signing import public_keys

    await statements.key()
    return await public_keys(database)


async def _export(database: Database, statements: "Statements", site: str, options: argparse.Namespace) -> int:
    from openlakes_portal._audit.export import export

    target: Path | None = options.file[0] if options.file else None
    out = target.open("wb") if target is not None else sys.stdout.buffer
    try:
        async for line in export(database, statements, site):
            out.write(line)
        out.flush()
    finally:
        if target is not None:
            out.close()
    return 0


async def _verify_database(database: Database, options: argparse.Namespace) -> int:
    from openlakes_portal._audit.export import verify_database
    from openlakes_portal._audit.signing import PublicKeys, public_keys

    keys = _given_keys(options) or await public_keys(database)
    report = await verify_database(database, PublicKeys(keys))
    return _say({"the database": report}, options)


def _verify_files(options: argparse.Namespace) -> int:
    from openlakes_portal._audit.export import verify_lines
    from openlakes_portal._audit.verify import Problem

    keys = _given_keys(options)
    reports, digests = {}, {}
    for path in options.file:
        with path.open("rb") as file:
            reports[str(path)] = verify_lines(file, keys)
        digests[path.name] = _digest(path)
    for report in reports.values():
        for name, sha256 in report.archives.items():
            if name in digests and digests[name] != sha256:
                report.problems.append(Problem(f"the archive {name}", "it is not the file that was stated"))
    if keys is None:
        print("No --key was given: the keys in the files themselves are believed.", file=sys.stderr)
    return _say(reports, options)


def _digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _given_keys(options: argparse.Namespace) -> list[dict[str, Any]] | None:
    if options.key is None:
        return None
    content = json.loads(options.key.read_text())
    keys: list[dict[str, Any]] = content.get("keys", [content])
    return keys


def _say(reports: "dict[str, Report]", options: argparse.Namespace) -> int:
    from openlakes_portal._audit.verify import Problem

    for name, report in reports.items():
        if report.last_statement < options.at_least:
            what = f"it ends with statement {report.last_statement}, and {options.at_least} was seen before"
            report.problems.append(Problem("the end", what))
        if options.json:
            continue
        for problem in report.problems:
            print(f"{name}: {problem.where}: {problem.what}")
        print(f"{name}: {_summary(report)}")
    if options.json:
        print(json.dumps({name: {**asdict(report), "ok": report.ok} for name, report in reports.items()}, indent=2))
    return 0 if all(report.ok for report in reports.values()) else 1


def _summary(report: "Report") -> str:
    if not report.ok:
        return f"does not hold: {len(report.problems)} findings, the first one above"
    span = f" from {report.first_at} to {report.last_at}" if report.first_at else ""
    if report.filtered:
        return f"{report.records} records{span} are as they were exported; a selection cannot show that none is missing"
    waits = f"; {report.uncovered} newer ones are not covered yet" if report.uncovered else ""
    return f"holds: {report.records} records{span}, whole up to statement {report.last_statement}{waits}"
