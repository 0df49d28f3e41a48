"""Where the API is mounted."""

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
from chimes_marketplace.web.caching import say_who_may_keep

__all__ = ["ROUTES"]

ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        "/api/v1",
        tags=["api"],
        middleware=[say_who_may_keep],
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
