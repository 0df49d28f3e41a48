"""The entry module that pyproject.toml should name, and does not."""

from __future__ import annotations

from chimes.hooks import hookimpl
from chimes.registration import Registration

__all__ = ["chimes_models"]


@hookimpl
def chimes_models() -> list[Registration]:
    """No model at all."""
    return []
