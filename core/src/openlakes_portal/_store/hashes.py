"""Hashes of secrets that are looked up. They are long and random, so a plain SHA-256 tells nothing about them."""

import hashlib


def secret_hash(secret: str) -> str:
    """What the store keeps in place of a secret: SHA-256 as 64 hex digits."""
    return hashlib.sha256(secret.encode()).hexdigest()
