"""Real processes of `openlakes serve` on one database."""
