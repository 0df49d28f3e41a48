"""The options of a run, and its nonce, from which all its random values are derived."""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chimes.conformance.rules import Rules
from chimes.errors import ConfigError
from chimes.text import read_text

__all__ = ["Nonce", "Options", "Progress"]

NONCE_BYTES = 1024
Progress = Callable[[str], None]
"""Called with what is done next, in a few words."""


@dataclass(frozen=True)
class Nonce:
    """32 random bytes; the same nonce gives the same inputs, tables and job programs."""

    value: bytes

    @classmethod
    def fresh(cls) -> Nonce:
        """A new one from the operating system."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def read(cls, path: Path) -> Nonce:
        """From a file with 64 hexadecimal digits. Raises ConfigError."""
        text = read_text(path, "nonce file", limit=NONCE_BYTES)
        try:
            value = bytes.fromhex(text.strip())
        except ValueError as error:
            raise ConfigError(
                f"nonce file {path} cannot be read as hexadecimal digits", hint="write 64 of them"
            ) from error
        if len(value) != 32:
            raise ConfigError(f"nonce file {path} has {2 * len(value)} hexadecimal digits", hint="write 64 of them")
        return cls(value)

    @property
    def sha256(self) -> str:
        """The digest that is published (hex)."""
        return hashlib.sha256(self.value).hexdigest()

    def derive(self, *labels: object) -> bytes:
        """32 bytes for a purpose, which cannot be predicted without the nonce."""
        return hmac.new(self.value, "\0".join(map(str, labels)).encode("utf-8"), "sha256").digest()

    def rng(self, *labels: object) -> random.Random:
        """A generator for a purpose."""
        return random.Random(self.derive(*labels))

    def token(self, *labels: object) -> str:
        """24 hexadecimal digits for a purpose."""
        return self.derive(*labels).hex()[:24]

    def __repr__(self) -> str:
        return f"Nonce(sha256={self.sha256[:12]})"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run. ``lock`` is a pylock.toml to use instead of resolving; it only matters in a sandbox."""

    sandbox: bool = False
    rules: Rules = field(default_factory=Rules)
    nonce: Nonce = field(default_factory=Nonce.fresh)
    lock: Path | None = None
    out: Path | None = None
    progress: Progress = lambda _: None
