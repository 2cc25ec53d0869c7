"""OpenTelemetry traces over OTLP/HTTP (the extra `otel`). Importing this module needs that extra.

One span a request, named by its route and never by its raw path, with the request id on it; the caller's
`traceparent` (W3C Trace Context) is taken up.
"""

from collections.abc import Callable
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def start(
    endpoint: str, exporter: SpanExporter | None = None
) -> tuple[Callable[[ASGIApp], ASGIApp], Callable[[], None]]:
    """What wraps the application in spans, and what ends it. `exporter` replaces OTLP (for tests)."""
    provider = TracerProvider(resource=Resource.create({"service.name": "openlakes-portal"}))
    sender = exporter or OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(sender))
    tracer = provider.get_tracer("openlakes_portal")

    def wrap(app: ASGIApp) -> ASGIApp:
        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"] if k == b"traceparent"}
            kind = trace.SpanKind.SERVER
            with tracer.start_as_current_span("HTTP", propagate.extract(carrier), kind=kind) as span:
                await app(scope, receive, _watched(send, span))
                route = scope.get("openlakes.route", "(none)")
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.request.method", scope["method"])

        return traced

    def stop() -> None:
        provider.shutdown()

    return wrap, stop


def _watched(send: Send, span: Any) -> Send:
    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start":
            span.set_attribute("http.response.status_code", message["status"])
            for name, value in message.get("headers", ()):
                if name == b"x-request-id":
                    span.set_attribute("openlakes.request_id", value.decode())
        await send(message)

    return watched
