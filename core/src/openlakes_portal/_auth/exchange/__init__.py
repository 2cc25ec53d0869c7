"""The token exchange (RFC 8693): a job shows a token of its own platform and gets a short one of a service account."""
