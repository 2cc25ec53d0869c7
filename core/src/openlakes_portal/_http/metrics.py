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


_children: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}


def answered(plugin: str, route: str, method: str, status: int, took: float) -> None:
    """Count one answer. The children are kept: looking them up by labels costs more than counting."""
    key = (plugin, route, method, status)
    children = _children.get(key)
    if children is None:
        children = (requests.labels(plugin, route, method, str(status)), seconds.labels(plugin))
        _children[key] = children
    children[0].inc()
    children[1].observe(took)


def render() -> bytes:
    """The text format of Prometheus."""
    return generate_latest(registry)
