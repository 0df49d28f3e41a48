"""The routes of the pages."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router
from litestar.types import ControllerRouterHandler

from chimes_marketplace.pages.assets import show_asset
from chimes_marketplace.pages.front import show_front
from chimes_marketplace.pages.plugins import show_plugin, show_plugins, show_release_page
from chimes_marketplace.pages.reports import show_document, show_report, show_stage_document, show_stage_report
from chimes_marketplace.pages.responses import HANDLERS

__all__ = ["ROUTES"]

ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        "/",
        tags=["pages"],
        exception_handlers=HANDLERS,
        route_handlers=[
            show_asset,
            show_document,
            show_front,
            show_plugin,
            show_plugins,
            show_release_page,
            show_report,
            show_stage_document,
            show_stage_report,
        ],
    ),
)
