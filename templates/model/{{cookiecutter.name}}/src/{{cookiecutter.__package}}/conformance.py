"""The author's part of the conformance suite: the configurations with which it runs the model."""

from __future__ import annotations

from collections.abc import Sequence

from chimes import Context
from chimes.conformance.harness import Case

__all__ = ["WeightedSums"]


class WeightedSums:
    """The harness of the model. The suite makes the input rows from the signature."""

    def cases(self, context: Context) -> Sequence[Case]:
        """The defaults, and a configuration in which every number differs."""
        config = {"weight_a": 2.0, "weight_b": -0.25, "bias": 1.0, "threshold": 3.0}
        return [Case(name="defaults"), Case(name="own-numbers", config=config)]
