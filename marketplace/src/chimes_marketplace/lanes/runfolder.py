"""The folder of one run: the input of its job, and the documents that the job writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

import tomli_w
from chimes.conformance.rules import Rules

__all__ = ["RunDocuments", "RunFolder", "run_id_of"]

DOCUMENT_BYTES = 32 << 20
LOG_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RunDocuments:
    """The documents that a job wrote, None for one that is absent or too large; ``log``: all its logs joined.

    ``rules``: the rules that it used.
    """

    verdict: bytes | None
    record: bytes | None
    lock: bytes | None
    log: bytes
    rules: bytes | None = None


@dataclass(frozen=True)
class RunFolder:
    """``root`` with the file to check, rules, nonce, a working and a temporary folder, and ``out``."""

    root: Path
    filename: str

    @property
    def file(self) -> Path:
        """The file that is checked, under its own name."""
        return self.root / "file" / self.filename

    @property
    def rules(self) -> Path:
        """The rules, TOML."""
        return self.root / "rules.toml"

    @property
    def nonce(self) -> Path:
        """The nonce, hexadecimal digits."""
        return self.root / "nonce"

    @property
    def work(self) -> Path:
        """The job's working directory and home."""
        return self.root / "work"

    @property
    def tmp(self) -> Path:
        """The folder for the job's temporary files, on the same disk as the caches, so that files can be linked."""
        return self.root / "tmp"

    @property
    def out(self) -> Path:
        """The folder to which the job writes its documents."""
        return self.root / "out"

    def prepare(self, blob: Path, *, nonce: str, rules: Rules, granted: str | None) -> None:
        """Make a new, empty folder with the file ``blob``. ``granted``: a reserved name that this file may have."""
        self.remove()
        for folder in (self.root, self.file.parent, self.work, self.tmp, self.out):
            folder.mkdir(parents=True, mode=0o700)
        _link(blob, self.file)
        if granted is not None:
            rules = rules.model_copy(update={"files": rules.files.granting(granted)})
        self.rules.write_text(tomli_w.dumps(rules.model_dump(mode="json", exclude_defaults=True)), "utf-8")
        self.nonce.touch(mode=0o600)
        self.nonce.write_text(nonce, "ascii")

    def read_documents(self) -> RunDocuments:
        """Read the documents that the job wrote."""
        return RunDocuments(
            verdict=_read(self.out / "verdict.json"),
            record=_read(self.out / "run.json"),
            lock=_read(self.out / "pylock.toml"),
            log=_logs(self.out / "logs"),
            rules=_read(self.rules),
        )

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.root, ignore_errors=True)


def run_id_of(name: str) -> int | None:
    """The run to which a folder of that name belongs; None for other folders."""
    parts = name.split("-")
    return int(parts[0]) if len(parts) in (2, 3) and all(map(str.isdecimal, parts)) else None


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _read(path: Path, limit: int = DOCUMENT_BYTES) -> bytes | None:
    """A regular file of at most ``limit`` bytes, else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with open(descriptor, "rb") as stream:
        data = stream.read(limit + 1)
    return data if len(data) <= limit else None


def _logs(folder: Path) -> bytes:
    found = b""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            found += _read(path, LOG_BYTES) or b""
            if len(found) > LOG_BYTES:
                break
    return found[:LOG_BYTES]
