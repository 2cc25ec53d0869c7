"""Prometheus metrics of this process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()
requests = Counter(
    "openlakes_http_requests", "Requests answered", ["plugin", "route", "method", "status"], registry=registry
)
seconds = Histogram(
    "openlakes_http_request_seconds",
    "Time to the end of the answer, streams aside",
    ["plugin"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=registry,
)
streams = Gauge("openlakes_streams_open", "Open streams", registry=registry)
components = Gauge("openlakes_component_healthy", "1 where a component is healthy", ["component"], registry=registry)
plugins = Gauge("openlakes_plugins", "Installed plugins", ["state"], registry=registry)


def render() -> bytes:
    """The text format of Prometheus."""
    return generate_latest(registry)
