"""Measurements against the goals, each beside its yardstick in one run: `make bench`. Ratios count, not times."""
