"""Checks whether RECORD lists exactly the files of the wheel, with hashes that hold."""

from __future__ import annotations

import base64
import csv

from installer.records import InvalidRecordEntry, RecordEntry, parse_record_file

from chimes.checks.filecheck import WheelCheck
from chimes.checks.subject import WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["RecordExact"]

STRONG = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})
SIGNATURES = ("RECORD.jws", "RECORD.p7s")
KEPT = 50
REBUILD = "build the wheel again with an ordinary build tool and do not edit it afterwards"

SENTENCES = {
    "absent": "the wheel has no readable RECORD in its dist-info folder",
    "unreadable": "RECORD is not a UTF-8 table of path, hash and size ({detail})",
    "entry": "RECORD's line for {path} is not path, hash and size ({detail})",
    "twice": "RECORD lists {path} twice",
    "unlisted": "{path} is in the wheel and not in RECORD",
    "missing": "RECORD lists {path}, which is not in the wheel",
    "own-hash": "RECORD gives a hash or a size for itself",
    "no-hash": "RECORD gives {path} no hash or no size",
    "weak-hash": "RECORD hashes {path} with {detail}; sha256 or better is needed",
    "hash": "the content of {path} does not have the hash that RECORD gives",
    "size": "the content of {path} does not have the size that RECORD gives ({detail})",
    "many": "{detail} more lines of RECORD are wrong",
}


class RecordExact(WheelCheck):
    """Does RECORD list every file of the wheel, nothing else, with true hashes?

    Installers trust RECORD to know what to check and later what to remove. Folders and the signature
    files ``RECORD.jws`` and ``RECORD.p7s`` are exempt.
    """

    code = "A02"
    source = "PEP 376, PEP 427"

    def observe(self, subject: WheelSubject) -> Facts:
        """The problems as (kind, path, detail), the first 50, and the number of all."""
        name = subject.dist_info("RECORD")
        problems = list(_Comparison(subject, name).problems()) if name else [["absent", None, None]]
        problems.sort(key=lambda problem: [part or "" for part in problem])
        return {"record": name, "hashed": subject.deep, "count": len(problems), "problems": problems[:KEPT]}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per problem."""
        problems = list(facts["problems"])
        if more := facts["count"] - len(problems):
            problems.append(["many", None, str(more)])
        return [
            self.finding(
                SENTENCES[kind].format(path=quote(path or ""), detail=detail), REBUILD, where=path or facts["record"]
            )
            for kind, path, detail in problems
        ]


class _Comparison:
    """RECORD's lines against the members of the wheel."""

    def __init__(self, subject: WheelSubject, record: str) -> None:
        self._subject, self._record = subject, record
        self._found: list[list[str | None]] = []
        self._sizes = {member.name: member.size for member in subject.frame.members if not member.is_folder}

    def problems(self) -> list[list[str | None]]:
        """All problems."""
        rows = self._rows()
        if rows is None:
            return self._found
        listed: set[str] = set()
        for path, digest, size in rows:
            if path in listed:
                self._note("twice", path)
            elif not path.endswith("/"):
                self._compare(path, digest, size)
            listed.add(path)
        exempt = {f"{self._record.rpartition('/')[0]}/{name}" for name in SIGNATURES}
        for path in self._sizes.keys() - listed - exempt:
            self._note("unlisted", path)
        return self._found

    def _note(self, kind: str, path: str | None = None, detail: str | None = None) -> None:
        self._found.append([kind, path, detail])

    def _rows(self) -> list[tuple[str, str, str]] | None:
        data = self._subject.read(self._record, self._subject.limits.record_bytes)
        if data is None:
            self._note("absent")
            return None
        try:
            text = data.decode("utf-8")
            return list(parse_record_file(text.splitlines()))
        except UnicodeDecodeError:
            self._note("unreadable", None, "not UTF-8")
        except InvalidRecordEntry as error:
            self._note("unreadable", None, next(iter(error.issues)))
        except csv.Error as error:
            self._note("unreadable", None, str(error))
        return None

    def _compare(self, path: str, digest: str, size: str) -> None:
        if path not in self._sizes:
            self._note("missing", path)
            return
        if path == self._record:
            if digest or size:
                self._note("own-hash", path)
            return
        try:
            entry = RecordEntry.from_elements(path, digest, size)
        except InvalidRecordEntry as error:
            self._note("entry", path, next(iter(error.issues)))
            return
        if entry.hash_ is None or entry.size is None:
            self._note("no-hash", path)
            return
        if entry.size != self._sizes[path]:
            self._note("size", path, f"{self._sizes[path]}, not {entry.size}")
        if entry.hash_.name not in STRONG:
            self._note("weak-hash", path, quote(entry.hash_.name))
            return
        actual = self._subject.digest(path, entry.hash_.name)
        if actual is not None and _encode(actual) != entry.hash_.value:
            self._note("hash", path)


def _encode(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
