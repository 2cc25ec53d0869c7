"""What the upstream package does with the portal's keys. Superset's own Python runs it, which has what it needs:
`python check_keys.py` ends with status 0, or with the assertion that failed."""

import http.server
import json
import sys
import threading
import time
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from openlakes_portal_superset.upstream.tokens import COOLDOWN, FRESH, STALE, Keys, person_of


class Portal(http.server.BaseHTTPRequestHandler):
    """Publishes keys, and counts who asks; as broken as it is told to be."""

    published: ClassVar[list[dict[str, Any]]] = []
    asked = 0
    broken: bytes | None = None
    answers: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        type(self).asked += 1
        self.answers.wait(20)
        body = self.broken if self.broken is not None else json.dumps({"keys": self.published}).encode()
        self.send_response(302 if self.broken == b"elsewhere" else 200)
        if self.broken == b"elsewhere":
            self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: Any) -> None:
        pass


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def published(key: Any, kid: str, algorithm: str) -> dict[str, Any]:
    """A public key, as the portal publishes one."""
    maker = OKPAlgorithm if algorithm == "EdDSA" else ECAlgorithm
    return {**json.loads(maker.to_jwk(key.public_key())), "kid": kid, "alg": algorithm, "use": "sig"}


def token(key: Any, kid: str, algorithm: str = "EdDSA", **changed: Any) -> str:
    """A token that would be believed, but for what is changed."""
    now = int(time.time())
    claims = {"iss": "http://portal.test", "sub": "ada", "aud": "superset", "roles": [], "iat": now, "nbf": now}
    made: str = jwt.encode({**claims, "exp": now + 60, **changed}, key, algorithm=algorithm, headers={"kid": kid})
    return made


def main() -> int:
    """Exit status 0: all of it holds."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Portal.answers.set()
    clock = Clock()
    keys = Keys(f"http://127.0.0.1:{server.server_port}/jwks", clock=clock)

    def who(key: Any, kid: str, algorithm: str = "EdDSA", **changed: Any) -> str | None:
        found = person_of(token(key, kid, algorithm, **changed), keys, "http://portal.test", "superset")
        return None if found is None else found.username

    first, second, curve = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), generate_private_key(SECP256R1())
    Portal.published = [
        published(first, "one", "EdDSA"),
        published(curve, "curve", "ES256"),
        {"kty": "oct", "kid": "x"},
    ]
    assert who(first, "one") == "ada"
    assert who(curve, "curve", "ES256") == "ada"
    for _ in range(50):
        assert who(first, "one") == "ada"
    assert Portal.asked == 1, "kept for a minute"

    assert who(second, "two") is None
    for n in range(50):
        assert who(second, f"made-up-{n}") is None
    assert Portal.asked == 1, "made-up names do not make it ask more often than once in a while"
    Portal.published.append(published(second, "two", "EdDSA"))
    clock.now += COOLDOWN
    assert who(second, "two") == "ada", "a new key is found without waiting for a minute"
    assert Portal.asked == 2

    Portal.published = [published(second, "two", "EdDSA")]
    clock.now += FRESH + 1
    assert who(first, "one") is None, "a key that the portal dropped is no longer believed"
    assert who(second, "two") == "ada"

    for broken in (b"<html>", b"[]", b'{"keys": 3}', b"x" * 1_000_000, b"elsewhere"):
        Portal.broken = broken
        clock.now += FRESH + 1
        assert who(second, "two") == "ada", "a portal that answers wrongly for a moment ends nobody's work"
    clock.now += STALE
    assert who(second, "two") is None, "but not for ever"
    Portal.broken = None
    clock.now += COOLDOWN
    assert who(second, "two") == "ada"

    Portal.answers.clear()
    clock.now += FRESH + 1
    asked, began = Portal.asked, time.monotonic()
    first_one = threading.Thread(target=who, args=(second, "two"))
    first_one.start()
    while Portal.asked == asked:
        time.sleep(0.01)
    for _ in range(20):
        assert who(second, "two") == "ada"
    assert time.monotonic() - began < 3, "while the portal hangs, whose key is known does not wait for it"
    Portal.answers.set()
    first_one.join()
    assert Portal.asked == asked + 1

    wrongs: list[dict[str, Any]] = [{"aud": ["superset", "trino"]}, {"roles": "platform-admin"}, {"roles": [1]}]
    for wrong in [*wrongs, {"sub": ""}, {"sub": 7}]:
        assert who(second, "two", **wrong) is None, wrong
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
