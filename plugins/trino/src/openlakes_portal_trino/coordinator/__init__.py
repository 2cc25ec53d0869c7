"""The engine `trino`: statements in a real Trino, by the official client and the REST protocol."""
