"""The type of a broken plugin: a strict reference plugin with edits, and the check that must fail."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.conformance.gate.mutants import Edit
from chimes.kinds.descriptors import Kind

__all__ = ["Broken"]


@dataclass(frozen=True)
class Broken:
    """The fault, the check that must fail, and the edits ``(file, old, new)`` of the strict plugin."""

    check: str
    kind: Kind
    summary: str
    changes: tuple[tuple[str, str, str], ...]

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits as the suite's own mutants have them."""
        return tuple(Edit(f"{file}.py", old, new) for file, old, new in self.changes)
