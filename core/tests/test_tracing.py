"""Traces: one span a request, named by its route, with the request id and the caller's trace."""

from collections.abc import Callable
from pathlib import Path

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from openlakes_portal._host.discovery import Candidate
from openlakes_portal._http.tracing import start
from openlakes_portal.testing import portal_for

WritePlugin = Callable[..., Candidate]


async def test_a_request_is_a_span_named_by_its_route(tmp_path: Path, write_plugin: WritePlugin) -> None:
    async with portal_for(tmp_path / "portal", None, []) as portal:
        exporter = InMemorySpanExporter()
        wrap, stop = start("http://127.0.0.1:9", exporter)
        portal.app._dispatcher = wrap(portal.app._dispatcher)  # type: ignore[arg-type]
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        answer = await portal.signed_in("viewer").get("/api/components?secret=canary", headers={"traceparent": trace})
        stop()
    span = exporter.get_finished_spans()[-1]
    assert span.name == "GET /api/components"
    attributes = dict(span.attributes or {})
    assert attributes["http.response.status_code"] == 200
    assert attributes["openlakes.request_id"] == answer.headers["x-request-id"]
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert "canary" not in span.to_json()
