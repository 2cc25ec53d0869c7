"""What an API token looks like: `olp_`, 32 random characters, and a checksum of 6, all of them letters and digits.

Scanners of leaked secrets know it by the prefix and tell it from a look-alike by the checksum (CRC-32 in base 62, as
GitHub's tokens have it), and so does the portal, without asking its database.
"""

import secrets
import string
import zlib

PREFIX = "olp_"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
BODY = 32
CHECK = 6
PATTERN = rf"{PREFIX}[0-9A-Za-z]{{{BODY + CHECK}}}"


def new_token() -> str:
    """A token that nobody has: 190 bits of chance."""
    body = "".join(secrets.choice(LETTERS) for _ in range(BODY))
    return PREFIX + body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether it could be one: prefix, length, letters and checksum."""
    if len(text) != len(PREFIX) + BODY + CHECK or not text.startswith(PREFIX):
        return False
    body = text[len(PREFIX) : -CHECK]
    return body.isascii() and body.isalnum() and text[-CHECK:] == _checksum(body)


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECK):
        number, digit = divmod(number, len(LETTERS))
        digits = LETTERS[digit] + digits
    return digits
