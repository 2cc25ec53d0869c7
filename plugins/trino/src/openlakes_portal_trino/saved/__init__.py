"""Saved queries: a person's own, those shared with everybody who may run SQL, and those that the site offers."""
