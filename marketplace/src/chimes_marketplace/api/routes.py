"""The routes of the API."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router
from litestar.types import ControllerRouterHandler

from chimes_marketplace.api.projects import list_projects, show_project
from chimes_marketplace.api.releases import show_release
from chimes_marketplace.api.submissions import (
    cancel_submission,
    close_submission,
    retry_submission,
    show_submission,
)
from chimes_marketplace.web.caching import with_cache_headers

__all__ = ["ROUTES"]

ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        "/api/v1",
        tags=["api"],
        middleware=[with_cache_headers],
        route_handlers=[
            list_projects,
            show_project,
            show_release,
            show_submission,
            close_submission,
            cancel_submission,
            retry_submission,
        ],
    ),
)
