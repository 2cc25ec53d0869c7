"""Fixtures over the real servers."""
