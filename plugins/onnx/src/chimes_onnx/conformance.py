"""What the conformance suite runs: a small linear classifier in three configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chimes.conformance.harness import Case
from chimes.context import Context

__all__ = ["LINEAR", "OnnxHarness"]

LINEAR = Path(__file__).parent / "data" / "linear.onnx"
"""Takes ``features`` float32 [n, 3], ``visits`` int64 [n]; gives ``scores`` float32 [n, 2], ``label`` int64 [n]."""


class OnnxHarness:
    """Cases that together stack columns, take whole rows as lists, and run a fixed batch size."""

    def cases(self, context: Context) -> Sequence[Case]:
        """Three configurations of the file that is part of this plugin."""
        columns: dict[str, Any] = {
            "path": str(LINEAR),
            "inputs": {"features": ["age", "dose", "pressure"]},
            "outputs": {"scores": ["score_low", "score_high"], "label": "label"},
        }
        return [
            Case(name="columns", config=columns),
            Case(name="lists", config={"path": str(LINEAR)}),
            Case(name="fixed-batch", config={**columns, "dimensions": {"n": 4}}),
        ]
