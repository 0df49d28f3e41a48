"""The rows of the registry: one value for each plugin, one for each of its components."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.kinds.descriptors import Kind
from chimes.registration import Registration

__all__ = ["Listing", "Plugin"]


@dataclass(frozen=True)
class Listing:
    """One component of one plugin; ``failure`` says why it can't be used here, None if it can."""

    kind: Kind
    distribution: str
    version: str
    registration: Registration
    failure: str | None = None

    @property
    def address(self) -> str:
        """``<distribution>:<component>``."""
        return f"{self.distribution}:{self.registration.name}"


@dataclass(frozen=True)
class Plugin:
    """One plugin; ``failure`` (code and message) stands in for components where it did not load."""

    distribution: str
    version: str
    components: tuple[Listing, ...] = ()
    failure: str | None = None
