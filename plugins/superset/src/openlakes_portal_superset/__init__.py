"""Superset behind the portal. `upstream` is for Superset's own environment and imports nothing of the portal."""
