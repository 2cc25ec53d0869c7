"""The worker process: a child of the fork server for one statement, then it ends.

It reads one job from its socket, writes the result into the job's spool file and says on the socket how far it is
(embedded/job.py). What anything else prints goes into the scratch folder, where the portal looks when it died.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pyiceberg.catalog.sql
import pyiceberg.io.pyarrow  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401
from pyiceberg.exceptions import NotInstalledError
from sqlalchemy.exc import SQLAlchemyError

from openlakes_portal.spi import QueryError, ResultColumn
from openlakes_portal_trino import parameters
from openlakes_portal_trino.embedded import exact, limits
from openlakes_portal_trino.embedded.attach import RULE_FAILED, Attachment, connect, lock
from openlakes_portal_trino.embedded.errors import no_suggestion, translated, without
from openlakes_portal_trino.embedded.job import Job, Message
from openlakes_portal_trino.embedded.refusal import Refused
from openlakes_portal_trino.embedded.statement import ReadStatement, read
from openlakes_portal_trino.embedded.stored import StoredResult
from openlakes_portal_trino.embedded.suggestion import suggester
from openlakes_portal_trino.spool import SpoolLimits, SpoolWriter

REPORT = 0.05
DUCKDB_SHARE = 0.6
"""DuckDB's part of the memory limit; the rest is for Arrow, Parquet and the interpreter."""

PARSER_MEMORY = 256 * 1024**2
CELLS = 400_000
"""Values of one batch, about: wide results have fewer rows in each."""

Say = Callable[[Message], None]


class Talk:
    """Messages to the portal, from any thread, whole lines."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._ended = False

    def say(self, message: Message) -> None:
        """One message; what comes after the last one is dropped."""
        with self._lock:
            if self._ended:
                return
            self._ended = message.kind in ("finished", "failed", "counted") and not message.counting
            line = message.encoded()
            while line:
                line = line[os.write(self._descriptor, line) :]


def run(job: Job, say: Say) -> Message:
    """Run one statement; the message is the end. Raises `Refused` and DuckDB's errors."""
    statement = _checked(job) if job.result is None else ReadStatement.ours(job.sql)
    connection = connect(int(job.limits.memory * DUCKDB_SHARE), job.limits.threads, job.limits.temp)
    attachment = Attachment(connection, job) if job.result is None else None
    if attachment is not None:
        attachment.attach(statement)
    else:
        connection.register("result", StoredResult(Path(str(job.result))))
        lock(connection)
    try:
        reporter = Reporter(connection, say)
        reader, columns = _started(connection, statement, job)
        return _spool(reporter, reader, columns, job, say)
    except Exception as error:
        if attachment is not None and attachment.rule_failed:
            raise Refused(RULE_FAILED) from None  # its words hold values that the rule hides
        if isinstance(error, duckdb.Error):
            suggest = no_suggestion if attachment is None else suggester(attachment, statement)
            raise Refused(translated(error, job.sql, statement.shift, _hidden(job), suggest)) from error
        raise


def _checked(job: Job) -> ReadStatement:
    """The statement with DuckDB's own placeholders, each of which has a value.

    It is read by a connection that is locked already: DuckDB opens files while it parses `IMPORT DATABASE`.
    """
    found = parameters.placeholders(job.sql, "duckdb")
    with connect(PARSER_MEMORY, 1, 0) as parser:
        lock(parser)
        statement = read(parser, parameters.as_names(job.sql, found))
    places = [parameters.Placeholder(name, 0, 0) for name in sorted(statement.parameters)]
    parameters.check(places, job.parameters)
    return statement


def _started(
    connection: duckdb.DuckDBPyConnection, statement: ReadStatement, job: Job
) -> tuple[pa.RecordBatchReader, tuple[ResultColumn, ...]]:
    values = job.parameters or None
    answer = connection.execute(statement.text, values)
    columns = tuple(ResultColumn(name, str(type_)) for name, type_, *_ in answer.description or [])
    if exact.needs_text(columns) and not statement.explain:
        answer = connection.execute(exact.wrapped(statement.text, columns), values)
    rows = max(1, min(16_384, CELLS // max(1, len(columns))))
    return answer.to_arrow_reader(rows), columns


def _spool(
    reporter: "Reporter", reader: pa.RecordBatchReader, columns: tuple[ResultColumn, ...], job: Job, say: Say
) -> Message:
    limits = SpoolLimits(job.limits.rows, job.limits.spool, job.limits.cell)
    writer = SpoolWriter(Path(job.spool), exact.schema(reader.schema), limits)
    say(Message("columns", columns=columns, bytes=writer.bytes))
    seen, full = 0, False
    for batch in reader:
        seen += batch.num_rows
        full = not writer.write(exact.batch(batch))
        if full:
            break
        reporter.wrote(writer.rows, writer.bytes)
    writer.close()
    size = Path(job.spool).stat().st_size
    end = Message("finished", rows=writer.rows, bytes=size, truncated=writer.truncated)
    if not full:
        return replace(end, total=seen)
    if not job.count:
        return end
    say(replace(end, counting=True))
    return Message("counted", rows=seen + sum(batch.num_rows for batch in reader))


class Reporter:
    """Says how far the statement is: a thread, because an aggregate shows no row for long."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, say: Say) -> None:
        self._connection = connection
        self._say = say
        self._written = (0, 0)
        self._reported = 0.0
        threading.Thread(target=self._tell, name="progress", daemon=True).start()

    def wrote(self, rows: int, size: int) -> None:
        """What is in the spool; said at once where the last word is old enough."""
        self._written = (rows, size)
        if time.monotonic() - self._reported >= REPORT:
            self._report()

    def _tell(self) -> None:
        while True:
            time.sleep(4 * REPORT)
            self._report()

    def _report(self) -> None:
        self._reported = time.monotonic()
        rows, size = self._written
        self._say(Message("progress", rows=rows, bytes=size, progress=_progress(self._connection)))


def _progress(connection: duckdb.DuckDBPyConnection) -> float | None:
    percent = connection.query_progress()
    return percent / 100 if 0 <= percent <= 100 else None


def _hidden(job: Job) -> tuple[str, ...]:
    """Places of this machine and of the storage, which no message shows."""
    places = [value for catalog in job.catalogs.values() for value in catalog.values() if "/" in value]
    plain = [place.removeprefix("file://") for place in places]
    return (*places, *plain, job.spool, job.scratch, sys.prefix, os.getcwd())


def perform(job: Job, talk: Talk) -> None:
    """Run the job and say how it ended, whatever happens."""
    limits.apply(job.limits.memory, job.limits.spool, job.limits.temp)
    limits.watch(job.limits.memory, lambda: _give_up(talk, job.limits.memory))
    try:
        end = run(job, talk.say)
    except (Refused, parameters.ParameterMismatch) as refused:
        end = Message("failed", error=refused.error)
    except duckdb.Error as error:
        end = Message("failed", error=translated(error, job.sql, 0, _hidden(job)))
    except MemoryError:
        end = Message("failed", error=_too_much_memory(job.limits.memory))
    except SQLAlchemyError as error:
        words = f"The catalog of the tables cannot be read ({type(error).__name__})."
        end = Message("failed", error=QueryError(words, "engine"))
    except (OSError, pa.ArrowException, NotInstalledError, ValueError) as error:
        end = Message("failed", error=QueryError(without(f"Reading the data failed: {error}", _hidden(job)), "engine"))
    talk.say(end)


def _too_much_memory(memory: int) -> QueryError:
    return QueryError(
        f"The statement needed more than the {memory // 1024**2} MiB of memory that one statement may use. "
        "Select fewer columns or rows, or aggregate first.",
        "resources",
    )


def _give_up(talk: Talk, memory: int) -> None:
    talk.say(Message("failed", error=_too_much_memory(memory)))
    os._exit(4)


def serve(link: int) -> None:
    """A fresh child of the fork server: take the job from the socket `link`, run it, say how it goes."""
    line = bytearray()
    while not line.endswith(b"\n"):
        read = os.read(link, 1 << 20)
        if not read:
            return  # nobody needed this worker
        line += read
    limits.end_with_portal(link)
    job = Job.parse(bytes(line))
    os.chdir(job.scratch)
    words = os.open(job.words, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(words, 1)
    os.dup2(words, 2)
    perform(job, Talk(link))
