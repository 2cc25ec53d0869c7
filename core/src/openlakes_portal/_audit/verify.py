"""Verification of the log, from an export or the database, with nothing but the public keys.

Statements come first, then records in the order of their ids. Found are: a record that was changed, that is missing
(between others, or at the end, as far as statements reach), that was put elsewhere, or that nobody's chain holds; and
the same of statements. A file that was cut is found by its signed end.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from openlakes_portal._audit.record import digest
from openlakes_portal._audit.signing import PublicKeys
from openlakes_portal._audit.statements import statement_hash

MAX_PROBLEMS = 100
FORMAT = "openlakes-audit-1"


@dataclass(frozen=True)
class Problem:
    """Something that does not hold. `where` names a record by its id, or a statement by its number."""

    where: str
    what: str


@dataclass
class Report:
    """What was found."""

    records: int = 0
    statements: int = 0
    uncovered: int = 0
    """Records that no statement covers yet: in the database the newest few seconds', in an export none."""
    archived: int = 0
    filtered: bool = False
    last_statement: int = 0
    first_at: str | None = None
    last_at: str | None = None
    problems: list[Problem] = field(default_factory=list)
    archives: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each archive, by its file's name."""

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return not self.problems


class Verifier:
    """Takes statements, then records, then says what it found."""

    def __init__(self, keys: PublicKeys, *, selection: Any = None) -> None:
        """`selection` is what an export says that its records were chosen by, None where it has all of them."""
        self.report = Report(filtered=selection is not None)
        self._selection = selection
        self._keys = keys
        self._statements: list[dict[str, Any]] = []
        self._hashes: set[str] = {""}
        self._prev: str | None = None
        self._expected: dict[tuple[str, int], tuple[str, int]] = {}
        self._signed: dict[str, int] = {}
        self._start: dict[str, int] = {}
        self._heads: dict[str, tuple[int, str]] = {}
        self._last_id = 0
        self._digest = hashlib.sha256()
        self._opened = False

    def statement(self, jws: str) -> None:
        """The next statement."""
        try:
            found = self._keys.open(jws)
            number, kind, heads = found["number"], found["kind"], found["heads"]
            places = {(writer, int(seq)): str(hash) for writer, (seq, hash) in heads.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            where = f"statement {self.report.last_statement + 1 if self.report.statements else '(the first)'}"
            self._problem(where, f"it is not believed: {error}")
            return
        if self._statements:
            if number != self.report.last_statement + 1:
                self._problem(f"statement {number}", f"it follows statement {self.report.last_statement}")
            elif found["prev"] != self._prev:
                self._problem(f"statement {number}", "it does not follow the one before")
        self._prev = statement_hash(jws)
        self._hashes.add(self._prev)
        self._statements.append(found)
        self.report.statements += 1
        self.report.last_statement = number
        if kind == "checkpoint":
            self._expected |= {place: (hash, number) for place, hash in places.items()}
            self._signed |= {writer: int(seq) for writer, (seq, _) in heads.items()}
        elif kind == "archive":
            self.report.archives[str(found.get("file"))] = str(found.get("sha256"))

    def _open(self) -> None:
        """The statements are complete: from where the records are to begin."""
        self._opened = True
        if not self._statements or self.report.filtered:
            return
        archives = [s for s in self._statements if s["kind"] == "archive"]
        first = self._statements[0]["number"]
        if archives:
            newest = archives[-1]
            self._heads = {writer: (int(seq), str(hash)) for writer, (seq, hash) in newest["heads"].items()}
            self._start = {writer: seq for writer, (seq, _) in self._heads.items()}
            self._expected = {p: signed for p, signed in self._expected.items() if p[1] > self._start.get(p[0], 0)}
            if first > newest["through"] + 1:
                self._problem(f"statement {first}", f"those after {newest['through']} and before it are missing")
        elif first != 1:
            self._problem(f"statement {first}", "those before it are missing, and no archive is said to hold them")

    def record(self, fields: dict[str, Any]) -> None:
        """The next record, as it is exported."""
        if not self._opened:
            self._open()
        self.report.records += 1
        try:
            id, writer, seq = int(fields["id"]), str(fields["writer"]), int(fields["seq"])
            prev, hash, at = str(fields["prev"]), str(fields["hash"]), str(fields["at"])
            true_hash = digest(fields)
            self._digest.update(hash.encode())
        except (KeyError, TypeError, ValueError, RecursionError):
            self._problem(f"record number {self.report.records}", "it lacks a field, or is none")
            return
        where = f"record {id}"
        self.report.first_at, self.report.last_at = self.report.first_at or at, at
        if id <= self._last_id:
            self._problem(where, f"it stands after record {self._last_id}: the order was changed, or it is there twice")
        self._last_id = max(id, self._last_id)
        if true_hash != hash:
            self._problem(where, "it was changed: its hash is another")
        if not self.report.filtered:
            self._link(where, writer, seq, prev, hash)

    def _link(self, where: str, writer: str, seq: int, prev: str, hash: str) -> None:
        if seq <= self._start.get(writer, 0):
            self.report.archived += 1
            return
        before = self._heads.get(writer)
        if before is None:
            if seq != 1:
                self._problem(where, f"the first {seq - 1} records of its writer are missing before it")
            elif prev not in self._hashes and not self._start:
                self._problem(where, "its chain begins after records or statements that are missing")
        elif seq > before[0] + 1:
            self._problem(where, f"{seq - before[0] - 1} records of its writer are missing before it")
        elif seq <= before[0]:
            self._problem(where, "it stands after its successor, or is there twice")
        elif prev != before[1]:
            self._problem(where, "it does not follow the record before it: one of the two was changed")
        signed = self._expected.pop((writer, seq), None)
        if signed is not None and signed[0] != hash:
            self._problem(where, "it is not the record that was signed")
        if seq > self._signed.get(writer, 0):
            self.report.uncovered += 1
        if before is None or seq > before[0]:
            self._heads[writer] = (seq, hash)

    def end(self, jws: str | None = None) -> Report:
        """There are no more: what is expected and did not come is missing. With the signed end of an export, that is
        checked too."""
        if not self._opened:
            self._open()
        said = self._signed_end(jws) if jws is not None else None
        if not self.report.filtered:
            self._missing(said["through"] if said else self.report.last_statement)
        return self.report

    def _missing(self, through: int) -> None:
        """Of what statements up to `through` cover, an archive ends before the newest."""
        furthest: dict[str, int] = {}
        for (writer, seq), (_, number) in self._expected.items():
            if number <= through and seq > self._heads.get(writer, (0, ""))[0]:
                furthest[writer] = max(seq, furthest.get(writer, 0))
        for writer, seq in furthest.items():
            have = self._heads.get(writer, (0, ""))[0]
            self._problem(f"the end of writer {writer}", f"{seq - have} records that were signed are missing")

    def _signed_end(self, jws: str) -> dict[str, Any] | None:
        try:
            end = self._keys.open(jws)
            if end["kind"] != "export":
                raise ValueError("it is the statement of something else")
            held = (self.report.records, self._digest.hexdigest(), self.report.last_statement)
            same = (end["records"], end["digest"], end["statements"]) == held and end["filter"] == self._selection
            end["through"] = int(end["through"])
        except (ValueError, KeyError, TypeError) as error:
            self._problem("the end of the file", f"it is not believed: {error}")
            return None
        if not same:
            chosen = "a selection of " if end["filter"] is not None else ""
            self._problem("the end of the file", f"it was made for other content: {chosen}{end['records']} records")
        return end

    @property
    def digest(self) -> str:
        """Of the records so far, for the end of an export."""
        return self._digest.hexdigest()

    def _problem(self, where: str, what: str) -> None:
        if len(self.report.problems) < MAX_PROBLEMS:
            self.report.problems.append(Problem(where, what))
