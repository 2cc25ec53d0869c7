"""Metrics and alerts: what Prometheus and Alertmanager know of the lakehouse."""
