"""The log as JSON lines: a header with the public keys, the statements, the records in order, and a signed end.

Each line is an object with a `type`: `header`, `statement`, `record`, `end`. The file can be verified by itself
(`verify.py`), anywhere, with the public key.
"""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._audit.reading import AuditQuery, filtered, record_of
from openlakes_portal._audit.signing import PublicKeys, public_keys
from openlakes_portal._audit.statements import Statements, exported, payload
from openlakes_portal._audit.verify import FORMAT, Problem, Report, Verifier
from openlakes_portal._store.audit_tables import audit_records, audit_statements, audit_writers
from openlakes_portal._store.database import Database

PAGE = 1_000


@dataclass(frozen=True)
class Extent:
    """What is read: statements to a number, and of each chain the records after one place and up to another. Taken at
    one moment, so that records that are committed meanwhile make no gaps."""

    through: int
    """The last statement that is about these records."""
    statements: int
    """The last statement that is listed: the archive before this one may have been stated later."""
    heads: dict[str, int]
    after: dict[str, int]

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(seq - self.after.get(writer, 0) for writer, seq in self.heads.items())


async def extent(database: Database, broken: Iterable[str] = ()) -> Extent:
    """All that statements cover; of chains that do not hold, everything."""
    number = select(func.max(audit_statements.c.number)).scalar_subquery()
    async with database.read() as connection:
        rows = (await connection.execute(select(audit_writers, number.label("through")))).all()
        archive = await newest_archive(connection)
    heads = {row.writer: row.seq if row.writer in broken else row.signed_seq for row in rows}
    through = (rows[0].through if rows else None) or 0
    after = {writer: int(seq) for writer, (seq, _) in archive["heads"].items()}
    return Extent(through, through, heads, after)


async def newest_archive(connection: AsyncConnection) -> dict[str, Any]:
    """What the newest archive's statement says; before the first one that nothing is archived."""
    table = audit_statements.c
    query = select(table.jws).where(table.kind == "archive").order_by(table.number.desc()).limit(1)
    jws = (await connection.execute(query)).scalar()
    return payload(jws) if jws else {"number": 0, "through": 0, "heads": {}}


async def export(
    database: Database,
    statements: Statements,
    site: str,
    query: AuditQuery | None = None,
    part: Extent | None = None,
) -> AsyncIterator[bytes]:
    """The lines, each with its newline. A checkpoint is made first, so that statements cover every record.

    With a query only those records come, and the file can show that they are unchanged, not that there are no others.
    """
    if part is None:
        await statements.checkpoint()
        part = await extent(database, statements.broken)
    keys = await public_keys(database)
    header = {"type": "header", "format": FORMAT, "site": site, "keys": keys, "filter": _said(query)}
    yield _line(header)
    check = Verifier(PublicKeys(keys), selection=header["filter"])
    if query is None:
        async for jws in _statements(database, part.statements):
            check.statement(jws)
            yield _line({"type": "statement", "jws": jws})
    async for fields in _records(database, query, part):
        check.record(fields)
        yield _line({"type": "record", **fields})
    said = {
        "through": part.through,
        "records": check.report.records,
        "digest": check.digest,
        "statements": check.report.last_statement,
        "filter": header["filter"],
    }
    yield _line({"type": "end", "jws": await statements.sign({"kind": "export", **said})})


async def verify_database(database: Database, keys: PublicKeys) -> Report:
    """Verify what is in the database now, as far as statements reach."""
    part = await extent(database)
    check = Verifier(keys)
    async for jws in _statements(database, part.statements):
        check.statement(jws)
    async for fields in _records(database, None, part):
        check.record(fields)
    return check.end()


def verify_lines(lines: Iterable[bytes], keys: list[dict[str, Any]] | None = None) -> Report:
    """Verify an export. Without keys those in its header are believed. Raises `ValueError` for what is no export."""
    check: Verifier | None = None
    end: str | None = None
    ended = False
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            kind = fields["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            if check is None:
                raise ValueError("it is no export of an audit log: the first line is no header") from None
            check.report.problems.append(Problem(f"line {number}", "it is no JSON object of an export"))
            continue
        if check is None:
            if kind != "header" or fields.get("format") != FORMAT:
                raise ValueError(f"it is no export of an audit log in the format {FORMAT}")
            check = Verifier(_keys_of(keys or fields.get("keys")), selection=fields.get("filter"))
        elif ended:
            check.report.problems.append(Problem(f"line {number}", "it stands after the end"))
        elif kind == "statement":
            check.statement(str(fields.get("jws")))
        elif kind == "record":
            check.record(fields)
        elif kind == "end":
            ended, end = True, str(fields.get("jws"))
    if check is None:
        raise ValueError("it is empty")
    report = check.end(end)
    if not ended:
        report.problems.append(Problem("the end of the file", "it is missing: the file was cut"))
    return report


def _keys_of(members: Any) -> PublicKeys:
    """Raises `ValueError` for what are no keys."""
    try:
        return PublicKeys(members)
    except Exception as error:
        raise ValueError(f"its keys cannot be read ({type(error).__name__})") from None


async def _statements(database: Database, through: int) -> AsyncIterator[str]:
    after = 0
    table = audit_statements
    while True:
        query = select(table).where(table.c.number > after, table.c.number <= through).order_by(table.c.number)
        query = query.limit(PAGE)
        async with database.read() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            yield row.jws
            after = row.number
        if len(rows) < PAGE:
            return


async def _records(database: Database, query: AuditQuery | None, part: Extent) -> AsyncIterator[dict[str, Any]]:
    table, last, left = audit_records, 0, part.records
    while left > 0:
        page = select(table).where(table.c.id > last).order_by(table.c.id).limit(PAGE)
        if query is not None:
            page = filtered(page, query)
        async with database.read() as connection:
            rows = [record_of(row) for row in (await connection.execute(page)).all()]
        for record in rows:
            if part.after.get(record.writer, 0) < record.seq <= part.heads.get(record.writer, 0):
                left -= 1
                yield exported(record)
        if len(rows) < PAGE:
            return
        last = rows[-1].id


def _said(query: AuditQuery | None) -> dict[str, str] | None:
    if query is None:
        return None
    named = {name: getattr(query, name) for name in AuditQuery.__dataclass_fields__ if name not in ("limit", "cursor")}
    return {name: str(value) for name, value in named.items() if value is not None}


def _line(value: dict[str, Any]) -> bytes:
    return to_json(value) + b"\n"
