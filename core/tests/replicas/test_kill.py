"""`kill -9` under load: whatever was answered is on record once, nothing twice, and the chain holds.

Three rounds here; `make soak` sets OPENLAKES_KILL_ROUNDS=200 and OPENLAKES_KILL_ANSWERS=50, which are 10,000 answers.
"""

import json
import os
import random
import threading
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import pytest

from openlakes_portal._audit.export import verify_lines
from replica_process import Person, Replica, eventually

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("OPENLAKES_KILL_ROUNDS", "3"))
ANSWERS = int(os.environ.get("OPENLAKES_KILL_ANSWERS", "25"))
CLIENTS = 4


class Load:
    """Clients that make API tokens until the server is gone; what was answered is kept."""

    def __init__(self, replica: Replica, person: Person, round: int) -> None:
        self.acknowledged: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self._replica, self._person, self._round = replica, person, round
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, n: int) -> None:
        with self._person.at(self._replica) as client:
            count = 0
            while True:
                count += 1
                body = {
                    "name": f"token {self._round} {n} {count}",
                    "permissions": ["core:health:read"],
                    "expires_at": "2027-01-20T00:00:00Z",
                }
                try:
                    answer = client.post("/api/tokens", json=body)
                except httpx.TransportError:
                    return
                self.statuses[answer.status_code] += 1
                if answer.status_code == 201:
                    self.acknowledged[answer.headers["x-request-id"]] = answer.json()["id"]

    def wait(self, wanted: int) -> None:
        """Until so many were answered."""
        eventually(lambda: len(self.acknowledged) >= wanted, 60, f"{wanted} answers")

    def join(self) -> None:
        """They have noticed."""
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def test_what_was_answered_is_on_record_once(url: str, tmp_path: Path) -> None:
    replica = Replica(tmp_path / "portal", url, {"auth": {"tokens": {"max_lifetime": 86400 * 3650}}})
    person = replica.start().signed_in("platform-admin")
    acknowledged: dict[str, str] = {}
    chance = random.Random(7)
    for round in range(ROUNDS):
        load = Load(replica, person, round)
        wanted = ANSWERS + chance.randrange(10)
        load.wait(wanted)
        replica.kill()
        load.join()
        assert set(load.statuses) == {201}, load.statuses
        acknowledged |= load.acknowledged
        replica.start()  # and the session of before is good
    assert len(acknowledged) >= ROUNDS * ANSWERS
    with person.at(replica) as client:
        lines = client.get("/api/audit/export", timeout=300).content.splitlines()
        tokens, cursor = set[str](), None
        while True:
            page = client.get("/api/tokens", params={"limit": 200, **({"cursor": cursor} if cursor else {})}).json()
            tokens |= {item["id"] for item in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                break
    replica.stop()
    report = verify_lines(lines)
    assert report.problems == []
    records = [record for record in map(json.loads, lines) if record["type"] == "record"]
    assert len({(record["writer"], record["seq"]) for record in records}) == len(records)
    phases: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record["action"] == "core.token.create":
            phases[record["request_id"]][record["phase"]] += 1
    lost = [id for id in acknowledged if phases[id] != Counter(intent=1, outcome=1)]
    twice = [id for id, found in phases.items() if found["intent"] > 1 or found["outcome"] > 1]
    print(f"{ROUNDS} kills, {len(acknowledged)} answered changes: {len(lost)} not on record, {len(twice)} twice")
    assert lost == [], f"{len(lost)} of {len(acknowledged)} answers are not on record once"
    assert twice == []
    assert set(acknowledged.values()) <= tokens, "what was answered is there"
    intents = sum(found["intent"] for found in phases.values())
    assert len(tokens) <= intents, "nothing was made without an intent"
