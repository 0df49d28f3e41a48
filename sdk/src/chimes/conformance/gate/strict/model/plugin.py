"""The entry module of the strict reference model."""

from __future__ import annotations

from chimes import Registration, hookimpl


@hookimpl
def chimes_models() -> list[Registration]:
    """One model."""
    return [
        Registration(
            name="strict",
            summary="A score from two numbers, by the interface and nothing more",
            target="chimes_strict_model.model:StrictModel",
            harness="chimes_strict_model.harness:StrictModels",
            api="chimes.model/1",
        )
    ]
