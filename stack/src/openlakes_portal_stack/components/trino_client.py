"""The little of Trino's client protocol (https://trino.io/docs/current/develop/client-protocol.html) that the stack
itself needs: one statement of a service account, all of its rows."""

import base64
import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

CALL_WITHIN = 20


class TrinoFailed(RuntimeError):
    """The statement failed; the message is Trino's own, `kind` its `errorType`: USER_ERROR, INTERNAL_ERROR, ..."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def rows(address: str, certificate: Path, account: tuple[str, str], statement: str) -> list[list[Any]]:
    """Run a statement as a service account. Raises `TrinoFailed`, `OSError`."""
    context = ssl.create_default_context(cafile=certificate)
    proof = base64.b64encode(":".join(account).encode()).decode()
    headers = {"Authorization": f"Basic {proof}", "X-Trino-User": account[0], "X-Trino-Source": "openlakes-stack"}
    # Only the server of the settings is asked, whatever proxy the environment names.
    ask = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))

    def page(url: str, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(url, data=body, headers=headers)
        with ask.open(request, timeout=CALL_WITHIN) as answer:
            told: dict[str, Any] = json.loads(answer.read())
            return told

    answer = page(f"{address}/v1/statement", statement.encode())
    found: list[list[Any]] = list(answer.get("data", []))
    while "nextUri" in answer:
        answer = page(answer["nextUri"], None)
        found += answer.get("data", [])
    if "error" in answer:
        raise TrinoFailed(answer["error"]["message"], answer["error"].get("errorType", ""))
    return found
