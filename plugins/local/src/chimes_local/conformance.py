"""The harness for the conformance suite: a root of its own, and few slots, so that jobs queue."""

from __future__ import annotations

from collections.abc import Sequence

from chimes.conformance.harness import Case
from chimes.context import Context

__all__ = ["LocalHarness"]


class LocalHarness:
    """One case: two slots."""

    def cases(self, context: Context) -> Sequence[Case]:
        """The case; its jobs are recorded under the context's temporary folder."""
        return (Case(name="two-slots", config={"root": str(context.tmp / "jobs"), "slots": 2}),)
