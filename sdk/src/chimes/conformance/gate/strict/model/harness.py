"""What to try of the strict reference model."""

from __future__ import annotations

from collections.abc import Sequence

from chimes.conformance.harness import Case
from chimes.context import Context


class StrictModels:
    """One case."""

    def cases(self, context: Context) -> Sequence[Case]:
        """A weight that is not the default."""
        return [Case(config={"weight": 3.0})]
