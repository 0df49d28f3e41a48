"""The context that the host gives to every component: log, cancellation, folders, secrets, artifacts."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from chimes.errors import ArtifactError, CancelledError, ConfigError, NotFoundError
from chimes.files import replace_file

__all__ = ["ArtifactRef", "ArtifactStore", "CancelToken", "Context", "SecretResolver"]


class CancelToken:
    """Set once by the host, checked by the component; ``reason`` says why (``user``, ``preempt``, ``deadline``)."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.reason: str | None = None

    def cancel(self, reason: str = "user") -> None:
        """Cancel the work; the first reason is kept."""
        if not self._event.is_set():
            self.reason = reason
            self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError once cancelled: for loops between batches."""
        if self.is_cancelled:
            raise CancelledError(f"cancelled: {self.reason}")


class SecretResolver:
    """Turns a reference (``env:NAME`` or ``file:/path``) into the secret that it names."""

    def resolve(self, reference: str) -> str:
        """Return the secret; raises ConfigError for another form, NotFoundError where it is not set."""
        scheme, _, name = reference.partition(":")
        match scheme:
            case "env":
                value = os.environ.get(name)
                if value is None:
                    raise NotFoundError(f"secret {reference!r} is not set", hint=f"export {name} before the run")
                return value
            case "file":
                try:
                    return Path(name).read_text("utf-8").rstrip("\n")
                except OSError as error:
                    raise NotFoundError(f"secret {reference!r} cannot be read", hint=str(error.strerror)) from error
        raise ConfigError(f"{scheme!r} is not a kind of secret reference", hint="write env:NAME or file:/path")

    def __repr__(self) -> str:
        return "SecretResolver()"


@dataclass(frozen=True, kw_only=True)
class ArtifactRef:
    """A file by content: where it came from, its sha256 (hex), size and media type."""

    uri: str
    sha256: str
    size_bytes: int
    media_type: str = "application/octet-stream"


class ArtifactStore:
    """A local folder of files named by sha256; each is verified when it is read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, source: Path, *, media_type: str = "application/octet-stream") -> ArtifactRef:
        """Copy a file in and return its reference; the same bytes are kept once."""
        self._root.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as stream, tempfile.NamedTemporaryFile(dir=self._root, delete=False) as target:
            shutil.copyfileobj(stream, target)
        digest = _sha256(Path(target.name))
        replace_file(Path(target.name), self._root / digest, durable=False)
        size = (self._root / digest).stat().st_size
        return ArtifactRef(uri=source.name, sha256=digest, size_bytes=size, media_type=media_type)

    def get(self, ref: ArtifactRef) -> Path:
        """Return a verified local path; raises ArtifactError if it is absent or its bytes differ."""
        path = self._root / ref.sha256
        if not path.is_file():
            raise ArtifactError(f"artifact {ref.uri} ({ref.sha256[:12]}) is not in the local store")
        found = _sha256(path)
        if found != ref.sha256:
            raise ArtifactError(
                f"artifact {ref.uri} has sha256 {found[:12]}, not the declared {ref.sha256[:12]}",
                hint="remove the damaged file and fetch it again",
            )
        return path


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a component may use of its host: the only folders, randomness and secrets.

    ``tmp`` is deleted after the run, ``cache`` at any time, ``artifacts`` are verified by content. ``seed``
    is the only source of randomness that makes a run repeatable.
    """

    tmp: Path
    cache: Path
    artifacts: ArtifactStore
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("chimes.component"))
    cancel: CancelToken = field(default_factory=CancelToken)
    deadline: datetime | None = None
    secrets: SecretResolver = field(default_factory=SecretResolver)
    run_id: str = "local"
    seed: int = 0

    @classmethod
    def under(cls, folder: Path, *, run_id: str = "local", seed: int = 0) -> Context:
        """A context whose folders (``tmp``, ``cache``, ``artifacts``) lie under one folder, made if absent."""
        for name in ("tmp", "cache", "artifacts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        store = ArtifactStore(folder / "artifacts")
        return cls(tmp=folder / "tmp", cache=folder / "cache", artifacts=store, run_id=run_id, seed=seed)
