"""Run by Airflow's own Python, which has what the portal's has not: how the portal's keys are fetched and kept.

`PYTHONPATH` holds the plugin's `upstream` part. Exit status 0: everything is as it should be.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from openlakes_portal_airflow_dbt.upstream.tokens import (
    AGAIN,
    FRESH,
    USABLE,
    KeysUnavailable,
    PortalTokens,
    PublishedKeys,
    Trust,
)

ISSUER = "http://portal.test"


class Portal:
    """Publishes keys on loopback, slowly, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = "200 OK"
        self.body = b""
        self.address = ""
        self.signers: dict[str, tuple[Any, str]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await asyncio.sleep(0.1)
        body = self.body
        head = f"HTTP/1.1 {self.status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    def publish(self, *kids: str, curve: str = "", more: tuple[Any, ...] = ()) -> None:
        """A new set: Ed25519 keys of these names, one ES256 key, and whatever else."""
        self.signers = {kid: (Ed25519PrivateKey.generate(), "EdDSA") for kid in kids}
        keys = [
            {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA"}
            for kid, (key, _) in self.signers.items()
        ]
        if curve:
            key = generate_private_key(SECP256R1())
            self.signers[curve] = (key, "ES256")
            keys.append({**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": curve, "alg": "ES256"})
        self.body = json.dumps({"keys": [*keys, *more]}).encode()

    def token(self, kid: str) -> str:
        """A token that one of the keys signed."""
        key, algorithm = self.signers[kid]
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "x", "aud": "airflow", "iat": now, "nbf": now, "exp": now + 300}
        encoded: str = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})
        return encoded


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def refuses(tokens: PortalTokens, token: str, error: type[Exception]) -> None:
    try:
        await tokens.verified(token)
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


async def first_comers_share_one_call(portal: Portal, tokens: PortalTokens, clock: Clock) -> None:
    portal.publish("a", curve="e")
    found = await asyncio.gather(*(tokens.verified(portal.token(kid)) for kid in ("a", "e") * 20))
    assert {claims["sub"] for claims in found} == {"x"}
    assert portal.asked == 1, portal.asked


async def unknown_keys_do_not_make_it_ask_again_and_again(portal: Portal, tokens: PortalTokens, clock: Clock) -> None:
    portal.publish("a")
    good = portal.token("a")
    await tokens.verified(good)
    portal.signers["stranger"] = (Ed25519PrivateKey.generate(), "EdDSA")
    for _ in range(50):
        await refuses(tokens, portal.token("stranger"), jwt.InvalidTokenError)
    assert portal.asked == 1
    clock.now += AGAIN + 1
    for _ in range(50):
        await refuses(tokens, portal.token("stranger"), jwt.InvalidTokenError)
    assert portal.asked == 2
    await tokens.verified(good)


async def a_new_key_is_found_and_a_dropped_one_forgotten(portal: Portal, tokens: PortalTokens, clock: Clock) -> None:
    portal.publish("old")
    old = portal.token("old")
    await tokens.verified(old)
    portal.publish("new")
    clock.now += AGAIN + 1
    await tokens.verified(portal.token("new"))
    await refuses(tokens, old, jwt.InvalidTokenError)


async def while_the_portal_is_away_its_keys_count_for_a_while(
    portal: Portal, tokens: PortalTokens, clock: Clock
) -> None:
    portal.publish("a")
    token = portal.token("a")
    await tokens.verified(token)
    good = portal.body
    for status, body in (("503 Away", good), ("200 OK", b"<html>"), ("200 OK", b"[]"), ("200 OK", b'{"keys": [3]}')):
        portal.status, portal.body = status, body
        clock.now += FRESH / 2
        await tokens.verified(token)
    clock.now += USABLE
    await refuses(tokens, token, KeysUnavailable)
    portal.status, portal.body = "200 OK", good
    await refuses(tokens, token, KeysUnavailable)
    clock.now += AGAIN + 1
    await tokens.verified(token)


async def keys_of_other_kinds_are_passed_over(portal: Portal, tokens: PortalTokens, clock: Clock) -> None:
    others = ({"kty": "RSA", "alg": "RS256", "kid": "r"}, {"kty": "oct", "alg": "HS256", "kid": "s", "k": "c2VjcmV0"})
    portal.publish("a", more=others)
    await tokens.verified(portal.token("a"))
    forged = jwt.encode({"sub": "x"}, b"secret" * 8, algorithm="HS256", headers={"kid": "s"})
    await refuses(tokens, forged, jwt.InvalidTokenError)


CASES: list[Callable[[Portal, PortalTokens, Clock], Awaitable[None]]] = [
    first_comers_share_one_call,
    unknown_keys_do_not_make_it_ask_again_and_again,
    a_new_key_is_found_and_a_dropped_one_forgotten,
    while_the_portal_is_away_its_keys_count_for_a_while,
    keys_of_other_kinds_are_passed_over,
]


async def main() -> None:
    for case in CASES:
        portal, clock = Portal(), Clock()
        server = await asyncio.start_server(portal.serve, "127.0.0.1", 0)
        trust = Trust(ISSUER, "airflow", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys")
        await case(portal, PortalTokens(trust, PublishedKeys(trust, clock)), clock)
        server.close()
        print(f"{case.__name__}: ok")


asyncio.run(main())
