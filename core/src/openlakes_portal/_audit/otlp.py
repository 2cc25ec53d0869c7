"""Audit records to an OpenTelemetry collector: OTLP logs over HTTP in JSON (OTLP 1.x specification).

The SDK's log processor drops what its queue does not hold; here the cursor in the database is the queue.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

INFO, WARN = 9, 13
"""Severity numbers of OpenTelemetry's log data model."""


class OtlpSink:
    """Sends to `<endpoint>/v1/logs`."""

    name = "otlp"

    def __init__(self, endpoint: str, headers: Mapping[str, str], site: str) -> None:
        self._url = f"{endpoint.rstrip('/')}/v1/logs"
        self._site = site
        self._client = httpx.AsyncClient(headers=dict(headers), timeout=10.0, follow_redirects=False, trust_env=False)

    async def send(self, lines: Sequence[dict[str, Any]]) -> None:
        """Send a batch. Raises for any answer but success, and where the collector took only a part."""
        answer = await self._client.post(self._url, json=request_of(lines, self._site))
        if answer.status_code != 200:
            raise RuntimeError(f"the collector answered {answer.status_code}")
        rejected = (answer.json().get("partialSuccess") or {}) if answer.content else {}
        if int(rejected.get("rejectedLogRecords") or 0):
            raise RuntimeError(f"the collector refused records: {str(rejected.get('errorMessage'))[:200]}")

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def request_of(lines: Sequence[dict[str, Any]], site: str) -> dict[str, Any]:
    """An ExportLogsServiceRequest in its JSON form."""
    resource = {"attributes": _attributes({"service.name": "openlakes-portal", "openlakes.site": site})}
    scope = {"name": "openlakes.audit"}
    logs = {"scope": scope, "logRecords": [_log_record(line) for line in lines]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [logs]}]}


def _log_record(line: dict[str, Any]) -> dict[str, Any]:
    if line["type"] != "record":
        attributes = {"openlakes.audit.number": line["number"], "openlakes.audit.jws": line["jws"]}
        return {
            "eventName": "openlakes.audit.statement",
            "severityNumber": INFO,
            "body": {"stringValue": f"statement {line['number']}"},
            "attributes": _attributes(attributes),
        }
    at = datetime.fromisoformat(line["at"])
    nanoseconds = int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1_000
    refused = line["action"] == "core.access.denied" or not line["result"].startswith(("done", "ok", "started"))
    fields = {
        name: value for name, value in line.items() if name not in ("type", "at", "details") and value is not None
    }
    return {
        "timeUnixNano": str(nanoseconds),
        "observedTimeUnixNano": str(nanoseconds),
        "eventName": "openlakes.audit.record",
        "severityNumber": WARN if refused else INFO,
        "body": {"stringValue": f"{line['actor_name']} {line['action']} {line['object']}: {line['result']}"},
        "attributes": _attributes(
            {**{f"openlakes.audit.{n}": v for n, v in fields.items()}, "openlakes.audit.details": line["details"]}
        ),
    }


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    """An AnyValue; 64-bit integers are text in JSON."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -(2**63) <= value < 2**63 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {} if value is None else {"stringValue": str(value)}
