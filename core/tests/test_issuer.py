"""The portal as an issuer: keys in the store, sealed, rotated with overlap; tokens that anybody can verify."""

import asyncio
import json
import warnings
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import SecretStr, ValidationError
from sqlalchemy import select, text

from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.signing_keys import SigningKeys, new_pem
from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import signing_keys as table
from openlakes_portal._store.keyring import Keyring
from openlakes_portal.spi import PortalToken, Principal, Unavailable
from openlakes_portal.testing import portal_for

ANALYST = Principal(subject="a", issuer="test", username="bi-analyst", name="A", session_id="s")
DAY = timedelta(days=1)
ISSUER = "http://portal.test"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead


def keys_of(database: Database, tmp_path: Path, clock: Any = now, **settings: Any) -> SigningKeys:
    """One process's keys."""
    return SigningKeys(database, Keyring([b"k" * 32]), IssuerSettings(**settings), tmp_path, clock=clock)


def verified(token: str, jwks: dict[str, Any], algorithm: str) -> dict[str, Any]:
    """Its claims, by the published keys alone."""
    with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
        return dict(jwt.decode(token, KeySet.import_key_set(jwks), algorithms=[algorithm]).claims)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_a_token_verifies_by_the_published_keys(database: Database, tmp_path: Path, algorithm: Any) -> None:
    issuer = Issuer(ISSUER, keys_of(database, tmp_path, algorithms=("EdDSA", "ES256", "RS256")))
    credential = await issuer.mint(ANALYST, PortalToken("db", algorithm=algorithm, lifetime=600))
    jwks = await issuer.jwks()
    assert sorted(key["alg"] for key in jwks["keys"]) == ["ES256", "EdDSA", "RS256"]
    assert len({key["kid"] for key in jwks["keys"]}) == 3
    assert not any({"d", "p", "q"} & set(key) for key in jwks["keys"]), "private parts are not published"
    claims = verified(credential.value.get_secret_value(), jwks, algorithm)
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, "db", "bi-analyst")
    assert claims["exp"] - claims["iat"] <= 610
    with pytest.raises(JoseError):
        verified(credential.value.get_secret_value()[:-8] + "AAAAAAAA", jwks, algorithm)


async def test_of_many_first_starters_one_makes_the_keys(database: Database, tmp_path: Path) -> None:
    processes = [keys_of(database, tmp_path) for _ in range(4)]
    await asyncio.gather(*(keys.load() for keys in processes))
    published = [json.dumps(keys.published(), sort_keys=True) for keys in processes]
    assert len(set(published)) == 1
    assert len(processes[0].published()) == 2
    token = await Issuer(ISSUER, processes[0]).mint(ANALYST, PortalToken("db"))
    assert verified(token.value.get_secret_value(), await Issuer(ISSUER, processes[3]).jwks(), "EdDSA")


async def test_no_private_key_is_readable_in_the_database(database: Database, tmp_path: Path) -> None:
    keys = keys_of(database, tmp_path)
    await keys.load()
    async with database.read() as connection:
        rows = (await connection.execute(select(table))).all()
    for row in rows:
        signer = keys.signer(row.algorithm)
        secret = signer.key.as_dict(private=True)["d"]
        assert secret not in json.dumps(row.public)
        assert secret.encode() not in row.private
        assert b"PRIVATE" not in row.private
    other = SigningKeys(database, Keyring([b"x" * 32]), IssuerSettings(), tmp_path)
    await other.load()
    assert len(other.closed()) == 2
    with pytest.raises(Unavailable, match="does not open"):
        other.signer("EdDSA")


async def test_a_row_that_is_put_in_the_place_of_another_does_not_open(database: Database, tmp_path: Path) -> None:
    await keys_of(database, tmp_path).load()
    async with database.write() as connection:
        kids = [kid for (kid,) in (await connection.execute(select(table.c.kid))).all()]
        await connection.execute(
            text("UPDATE signing_keys SET private = (SELECT private FROM signing_keys WHERE kid = :a) WHERE kid = :b"),
            {"a": kids[0], "b": kids[1]},
        )
    keys = keys_of(database, tmp_path)
    await keys.load()
    (closed,) = keys.closed()
    assert closed.endswith(kids[1])
    with pytest.raises(Unavailable, match="does not open"):
        keys.signer(closed.split()[0])


async def test_keys_rotate_with_overlap_and_no_verifier_notices(database: Database, tmp_path: Path) -> None:
    """N82: a verifier that fetches keys once a day verifies every token, for a hundred days."""
    clock = Clock()
    keys = keys_of(database, tmp_path, clock)
    issuer = Issuer(ISSUER, keys)
    held = await issuer.jwks()
    fetched = clock()
    signers = set()
    for hour in range(0, 100 * 24, 6):
        clock.ahead = timedelta(hours=hour)
        await keys.rotate()
        await keys.load()
        if clock() - fetched > DAY - timedelta(minutes=1):
            held, fetched = await issuer.jwks(), clock()
        issuer.forget("s")
        token = (await issuer.mint(ANALYST, PortalToken("db"))).value.get_secret_value()
        assert verified(token, held, "EdDSA"), f"after {hour} hours"
        signers.add(keys.signer("EdDSA").kid)
        assert len([key for key in keys.published() if key["alg"] == "EdDSA"]) <= 2
    assert len(signers) == 4, "30 days each"
    async with database.read() as connection:
        rows = (await connection.execute(select(table).where(table.c.algorithm == "EdDSA"))).all()
    assert len(rows) <= 2, "keys whose tokens have ended are gone"


async def test_a_token_of_the_old_key_verifies_until_it_ends(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    keys = keys_of(database, tmp_path, clock)
    issuer = Issuer(ISSUER, keys)
    await keys.load()
    clock.ahead = 29 * DAY + timedelta(hours=1)
    assert not await keys_of(database, tmp_path).rotate(), "not due by the other's clock"
    assert await keys.rotate()
    assert not await keys.rotate(), "once"
    await keys.load()
    old = keys.signer("EdDSA")
    assert old.signs_until is not None
    clock.ahead += old.signs_until - clock() - timedelta(seconds=1)
    token = (await issuer.mint(ANALYST, PortalToken("db", lifetime=600))).value.get_secret_value()
    clock.ahead += timedelta(minutes=10)
    assert keys.signer("EdDSA").kid != old.kid
    assert old.kid in {key["kid"] for key in keys.published()}, "its last token may still be shown"
    assert verified(token, await issuer.jwks(), "EdDSA")
    clock.ahead += timedelta(minutes=10)
    assert old.kid not in {key["kid"] for key in keys.published()}


async def test_two_leaders_at_once_announce_one_successor(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    processes = [keys_of(database, tmp_path, clock) for _ in range(3)]
    await processes[0].load()
    clock.ahead = 29 * DAY + timedelta(hours=1)
    assert sorted(await asyncio.gather(*(keys.rotate() for keys in processes))) == [False, False, True]
    async with database.read() as connection:
        rows = (await connection.execute(select(table).where(table.c.algorithm == "EdDSA"))).all()
    assert len(rows) == 2


async def test_keys_are_sealed_anew_when_security_key_is_another(database: Database, tmp_path: Path) -> None:
    await keys_of(database, tmp_path).load()
    both = Keyring([b"n" * 32, b"k" * 32])
    await SigningKeys(database, both, IssuerSettings(), tmp_path).rotate()
    after = SigningKeys(database, Keyring([b"n" * 32]), IssuerSettings(), tmp_path)
    await after.load()
    assert len(after.published()) == 2


async def test_keys_of_an_earlier_version_are_taken_over_and_their_files_go(database: Database, tmp_path: Path) -> None:
    pem = new_pem("ES256")
    file = tmp_path / "issuer-es256.pem"
    file.write_bytes(pem)
    keys = keys_of(database, tmp_path)
    await keys.load()
    assert keys.signer("ES256").key.as_pem(private=True) == pem
    assert not file.exists()


async def test_keys_of_the_settings_sign_and_nothing_rotates(database: Database, tmp_path: Path) -> None:
    pems = [new_pem("ES256").decode() for _ in range(2)]
    clock = Clock()
    keys = keys_of(database, tmp_path, clock, keys=tuple(SecretStr(pem) for pem in pems))
    await keys.load()
    assert keys.signer("ES256").key.as_pem(private=True).decode() == pems[0]
    assert len(keys.published()) == 2
    clock.ahead = 400 * DAY
    assert not await keys.rotate()
    with pytest.raises(Unavailable, match="no key for EdDSA") as refused:
        keys.signer("EdDSA")
    assert "auth.issuer" in (refused.value.remedy or "")
    async with database.read() as connection:
        assert (await connection.execute(select(table))).all() == []
    bad = keys_of(database, tmp_path, keys=(SecretStr("no key"),))
    with pytest.raises(ValueError, match=r"auth\.issuer\.keys"):
        await bad.load()
    with pytest.raises(ValidationError, match="announce"):
        IssuerSettings(rotate_every=3600, announce=3600)


async def test_one_token_for_a_session_and_audience_in_half_a_minute(database: Database, tmp_path: Path) -> None:
    issuer = Issuer(ISSUER, keys_of(database, tmp_path))
    tokens = await asyncio.gather(*(issuer.mint(ANALYST, PortalToken("db")) for _ in range(50)))
    assert issuer.mints == 1
    assert len({id(token) for token in tokens}) == 1
    other = Principal(subject="a", issuer="test", username="bi-analyst", name="A", session_id="another")
    assert await issuer.mint(other, PortalToken("db")) is not tokens[0]
    assert await issuer.mint(ANALYST, PortalToken("other")) is not tokens[0]
    before = issuer.keys._database.queries
    await issuer.mint(ANALYST, PortalToken("third"))
    assert issuer.keys._database.queries == before, "P10"


async def test_a_token_says_of_the_person_what_its_system_needs_and_nothing_else(
    database: Database, tmp_path: Path
) -> None:
    issuer = Issuer(ISSUER, keys_of(database, tmp_path))
    person = replace(ANALYST, email="a@acme.example", roles=frozenset({"viewer", "bi-analyst"}))

    async def said(principal: Principal, token: PortalToken) -> dict[str, Any]:
        value = (await issuer.mint(principal, token)).value.get_secret_value()
        return verified(value, await issuer.jwks(), "EdDSA")

    full = PortalToken("bi", claims=("roles", "name", "email"))
    claims = await said(person, full)
    assert (claims["roles"], claims["name"], claims["email"]) == (["bi-analyst", "viewer"], "A", "a@acme.example")
    assert set(await said(person, PortalToken("db"))) == {"iss", "sub", "aud", "iat", "nbf", "exp"}
    assert "email" not in await said(ANALYST, full), "what is not known is not said"
    demoted = replace(person, roles=frozenset({"viewer"}))
    assert (await said(demoted, full))["roles"] == ["viewer"], "a role that was taken away is not said once more"
    with pytest.raises(ValueError, match="claims"):
        PortalToken("bi", claims=("groups",))  # type: ignore[arg-type]


async def test_the_keys_are_published_with_a_time_to_keep_them(url: str, tmp_path: Path) -> None:
    settings = {"database": {"url": url}, "auth": {"issuer": {"announce": 1200}}}
    async with portal_for(tmp_path / "data", settings, []) as portal:
        answer = await portal.anonymous.get("/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=600"
        assert [key["use"] for key in answer.json()["keys"]] == ["sig", "sig"]
        first = answer.json()
    async with portal_for(tmp_path / "data", settings, []) as portal:
        assert (await portal.anonymous.get("/.well-known/jwks.json")).json() == first
