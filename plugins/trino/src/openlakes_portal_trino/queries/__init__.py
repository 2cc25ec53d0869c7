"""Queries as people know them: queued, running, done, kept; and saved queries."""
