"""The folder of one run: what its job is given, and what the job leaves, read within bounds."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

__all__ = ["Left", "RunFolder", "is_run"]

DOCUMENT_BYTES = 32 << 20
LOG_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a job left; None where it left nothing of that name that may be read. ``log``: all logs in one text.

    ``rules``: those it was given.
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
        """Where the job starts, and its home."""
        return self.root / "work"

    @property
    def tmp(self) -> Path:
        """Where the job puts what it needs for a while: on the disk of the caches, so that links suffice."""
        return self.root / "tmp"

    @property
    def out(self) -> Path:
        """Where it leaves its documents."""
        return self.root / "out"

    def prepare(self, blob: Path, *, nonce: str, rules: Mapping[str, Any], granted: str | None) -> None:
        """Make the folder anew, for the bytes of ``blob``. ``granted``: a name that may be used though reserved."""
        self.remove()
        for folder in (self.root, self.file.parent, self.work, self.tmp, self.out):
            folder.mkdir(parents=True, mode=0o700)
        _link(blob, self.file)
        names = [*rules.get("files", {}).get("granted_names", []), *([] if granted is None else [granted])]
        ruled = {"name": "marketplace", **rules, "files": {**rules.get("files", {}), "granted_names": names}}
        self.rules.write_text(tomli_w.dumps(ruled), "utf-8")
        self.nonce.touch(mode=0o600)
        self.nonce.write_text(nonce, "ascii")

    def left(self) -> Left:
        """What the job left."""
        return Left(
            verdict=_read(self.out / "verdict.json"),
            record=_read(self.out / "run.json"),
            lock=_read(self.out / "pylock.toml"),
            log=_logs(self.out / "logs"),
            rules=_read(self.rules),
        )

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.root, ignore_errors=True)


def is_run(name: str) -> bool:
    """Whether a folder's name is that of a run."""
    run, dash, attempt = name.partition("-")
    return bool(dash) and run.isdecimal() and attempt.isdecimal()


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
