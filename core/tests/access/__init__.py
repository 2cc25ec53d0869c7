"""Permissions, at the boundary."""
