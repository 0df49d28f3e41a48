"""Which file a run was to check, and what the run came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chimes.evidence.verdict import VerdictDocument

__all__ = ["Assessment", "Expected", "Outcome"]

Outcome = Literal["clean", "findings", "infra", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a run was started for: the file's name and sha256, the nonce (hex), the type of its distribution."""

    filename: str
    sha256: str
    nonce: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The outcome of a run. ``reason``: why it is infra, in one sentence. ``verdict``: of clean and findings only."""

    outcome: Outcome
    reason: str | None = None
    verdict: VerdictDocument | None = None
