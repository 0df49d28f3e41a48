"""What to try of the strict reference backend."""

from __future__ import annotations

from collections.abc import Sequence

from chimes.conformance.harness import Case
from chimes.context import Context


class StrictBackends:
    """One case."""

    def cases(self, context: Context) -> Sequence[Case]:
        """Records below the context's folder."""
        return [Case(config={"root": str(context.tmp / "jobs")})]
