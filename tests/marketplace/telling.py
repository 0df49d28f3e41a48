"""What a command printed, and the fixture's type that tells one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Tell", "Told"]


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Tell = Callable[..., Told]
