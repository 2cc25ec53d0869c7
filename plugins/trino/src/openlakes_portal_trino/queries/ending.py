"""What is recorded when a query ends, whoever or whatever ended it.

The route that runs a statement audits that it was accepted; how it ended is known later, and has an event of its own.
"""

from typing import Literal

from openlakes_portal.spi import AuditEventType, Document, Principal
from openlakes_portal_trino.queries.record import QueryRecord

StopCause = Literal["request", "page closed", "session ended", "abandoned", "portal stopped"]
"""Why a query was stopped: its owner asked for it, its page went away and did not come back, its owner signed out (or
the session ran out), nobody followed it any more, or the portal was stopped."""

ENDED = AuditEventType(
    "trino.query.ended", "A query ended: its state, rows, engine, seconds, and why where it was stopped or failed"
)


def facts(record: QueryRecord, cause: StopCause | None) -> dict[str, str]:
    """Details of the event `trino.query.ended`: numbers as text, and no word of the statement or of its error, which
    may hold data. `seconds` are those in the engine. `stopped_by` stands only where the query is cancelled."""
    found = {"engine": record.engine, "rows": str(record.rows), "seconds": f"{record.elapsed:.3f}"}
    if record.engine_query_id is not None:
        found["engine_query_id"] = record.engine_query_id
    if record.error is not None:
        found["error"] = record.error.kind
    if record.state == "cancelled" and cause is not None:
        found["stopped_by"] = cause
    return found


def owner_of(document: Document, record: QueryRecord) -> Principal:
    """Whose query it was, for a record that outlived its session. `Principal.identity` is `issuer#subject`."""
    issuer, _, subject = document.owner.rpartition("#")
    return Principal(subject=subject, issuer=issuer, username=record.username, name=record.username)
