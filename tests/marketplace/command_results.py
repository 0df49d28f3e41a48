"""The result of a command that a test runs, and the type of the fixture that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CommandResult", "RunCommand"]


@dataclass(frozen=True)
class CommandResult:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


RunCommand = Callable[..., CommandResult]
