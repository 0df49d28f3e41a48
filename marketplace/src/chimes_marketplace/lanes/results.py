"""The file that a run has to check, and the outcome of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chimes.evidence.verdict import VerdictDocument

__all__ = ["Assessment", "Expected", "Outcome"]

Outcome = Literal["clean", "findings", "infra", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The input of a run: name and sha256 of the file, the nonce (hex), the type of its distribution."""

    filename: str
    sha256: str
    nonce: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The outcome of a run. ``reason``: why it is infra, in one sentence. ``verdict``: only for clean and findings."""

    outcome: Outcome
    reason: str | None = None
    verdict: VerdictDocument | None = None
