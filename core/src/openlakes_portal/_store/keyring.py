"""Encryption at rest: AES-256-GCM (NIST SP 800-38D) under `security.key`, with earlier keys that still open.

What is sealed is bound to its purpose and its owner: a row that somebody copies onto another one does not open there.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from openlakes_portal._settings.model import Settings

KEY_FILE = "security.key"
KEY_BYTES = 32
VERSION = b"\x01"
NONCE_BYTES = 12
ID_BYTES = 4


class KeyringError(Exception):
    """A key is unusable, or what is sealed does not open. The text names no secret."""


class Keyring:
    """Seals with the first key, opens with any. A sealed value is version, key id, nonce, ciphertext with its tag."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise KeyringError("there is no key")
        self._keys = {key_id(key): key for key in reversed(keys)}
        self._current = key_id(keys[0])

    @property
    def current_id(self) -> str:
        """The name of the key that seals, for people: it tells nothing about the key."""
        return self._current.hex()

    def seal(self, purpose: str, owner: str, value: bytes) -> bytes:
        """Encrypt for this purpose and owner."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._keys[self._current]).encrypt(nonce, value, _bound_to(purpose, owner))
        return VERSION + self._current + nonce + sealed

    def open(self, purpose: str, owner: str, sealed: bytes) -> bytes:
        """Decrypt. Raises `KeyringError` where no key fits, it was changed, or it belongs to something else."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        head = len(VERSION) + ID_BYTES
        name, nonce = sealed[len(VERSION) : head], sealed[head : head + NONCE_BYTES]
        if not sealed.startswith(VERSION) or name not in self._keys:
            raise KeyringError(f"it was sealed with the key {name.hex()}, which is not there")
        try:
            return AESGCM(self._keys[name]).decrypt(nonce, sealed[head + NONCE_BYTES :], _bound_to(purpose, owner))
        except InvalidTag:
            raise KeyringError(f"the {purpose} of {owner[:60]} was changed, or is another's") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the key that seals now sealed this; else it is to be sealed anew."""
        return sealed[len(VERSION) : len(VERSION) + ID_BYTES] == self._current


def key_id(key: bytes) -> bytes:
    """A short name of a key."""
    return hashlib.sha256(b"openlakes key id" + key).digest()[:ID_BYTES]


def _bound_to(purpose: str, owner: str) -> bytes:
    return f"{purpose}\0{owner}".encode()


def parse_key(text: str) -> bytes:
    """32 bytes from base64 (either alphabet) or hex. Raises `KeyringError`."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(_standard(text), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyringError(
            "security.key must be 32 bytes as base64 or hex; "
            "`python -c 'import secrets; print(secrets.token_hex(32))'` makes one"
        )
    return key


def _standard(text: str) -> str:
    text = text.replace("-", "+").replace("_", "/")
    return text + "=" * (-len(text) % 4)


def load_keyring(settings: Settings) -> Keyring:
    """The keys of these settings; without `security.key` those of a file that the first start makes."""
    security = settings.security
    if security.key is not None:
        first = parse_key(security.key.get_secret_value())
    else:
        first = parse_key(_own_key(settings.server.data_dir / KEY_FILE))
    return Keyring([first, *(parse_key(k.get_secret_value()) for k in security.previous_keys)])


def _own_key(path: Path) -> str:
    """The key in the file, made once: of two starters one wins and both use its key."""
    if not path.exists():
        write_once(path, os.urandom(KEY_BYTES).hex().encode())
    return path.read_text("ascii")


def write_once(path: Path, content: bytes) -> None:
    """Make a file for its owner only, unless it is there already; it is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
