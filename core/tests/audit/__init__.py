"""The audit log: its chain, statements, sinks, archives."""
