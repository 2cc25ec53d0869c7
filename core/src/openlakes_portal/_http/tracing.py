"""OpenTelemetry traces over OTLP/HTTP (the extra `otel`). Importing this module needs that extra."""

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def start(endpoint: str, modules: Mapping[str, Any]) -> Callable[[], None]:
    """Send spans to a collector; returns what ends it."""
    provider = TracerProvider(resource=Resource.create({"service.name": "openlakes-portal"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)

    def stop() -> None:
        provider.shutdown()

    return stop
