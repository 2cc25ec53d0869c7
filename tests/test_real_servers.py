"""The real servers that other tests stand on are what they say they are."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from real_servers.postgres import PostgresServer
from real_servers.seaweedfs import S3Server
from real_servers.trino import TrinoServer


@pytest.mark.server
def test_postgres_is_18_and_gives_each_test_a_database_of_its_own(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    assert postgres_server.sql("SHOW server_version").startswith("18.")
    assert postgres_server.sql("SELECT current_database()", name) == name
    assert postgres_server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == "0"


@pytest.mark.server
def test_trino_answers_who_holds_a_token_and_nobody_else(trino_server: TrinoServer) -> None:
    assert _rows(trino_server, trino_server.token("data-engineer"), "data-engineer") == 25
    assert _rows(trino_server, trino_server.token("bi-analyst"), "bi-analyst") == 5
    for token in ("", trino_server.token("data-engineer", audience="other"), trino_server.token("x", lifetime=-60)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            _rows(trino_server, token, "data-engineer")
        assert refused.value.code == 401
        refused.value.close()


@pytest.mark.server
def test_s3_keeps_what_its_account_gives_it_and_refuses_others(s3_server: S3Server) -> None:
    bucket, files = s3_server.bucket(), s3_server.files()
    with files.open_output_stream(f"{bucket}/a/b") as stream:
        stream.write(b"kept")
    with files.open_input_file(f"{bucket}/a/b") as file:
        assert file.read() == b"kept"
    stranger = replace(s3_server, secret_key="wrong").files()
    with pytest.raises(OSError, match=r"(?i)signature|access.denied"):
        stranger.open_input_file(f"{bucket}/a/b")


def _rows(server: TrinoServer, token: str, user: str) -> int:
    """How many rows of tpch.tiny.nation a person counts."""
    trust = ssl.create_default_context(cafile=server.certificate)
    address = f"{server.url}/v1/statement"
    body: bytes | None = b"SELECT count(*) FROM tpch.tiny.nation"
    rows: list[list[int]] = []
    while address:
        headers = {"Authorization": f"Bearer {token}", "X-Trino-User": user}
        request = urllib.request.Request(address, data=body, headers=headers)
        with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
            page = json.loads(answer.read())
        rows, address, body = rows + page.get("data", []), page.get("nextUri"), None
    return rows[0][0]
