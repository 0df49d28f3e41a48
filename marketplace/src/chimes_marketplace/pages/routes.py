"""Where the pages are mounted."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

__all__ = ["ROUTES"]

ROUTES: Sequence[ControllerRouterHandler] = ()
