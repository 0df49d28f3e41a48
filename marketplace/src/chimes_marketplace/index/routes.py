"""Where the index is mounted."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

__all__ = ["ROUTES"]

ROUTES: Sequence[ControllerRouterHandler] = ()
