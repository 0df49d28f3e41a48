"""The components with which a release is listed."""

from __future__ import annotations

from typing import Literal

from chimes.kinds.descriptors import Kind
from pydantic import BaseModel, ConfigDict

__all__ = ["LEVELS", "Level", "ListedComponent"]

Level = Literal["verified", "certified"]
LEVELS: tuple[Level, ...] = ("verified", "certified")
"""Lowest first."""


class ListedComponent(BaseModel):
    """One component of a release. ``seeded``: whether the checks knew which rows it should return."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    name: str
    level: Level
    seeded: bool = True
