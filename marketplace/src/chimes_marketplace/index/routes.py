"""The routes of the index."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

from chimes_marketplace.index.files import send_file
from chimes_marketplace.index.simple import show_project, show_project_to_uploader, show_root
from chimes_marketplace.index.stage import send_staged_file, show_stage, show_staged_project
from chimes_marketplace.index.upload import upload

__all__ = ["ROUTES"]

ROUTES: Sequence[ControllerRouterHandler] = (
    upload,
    show_root,
    show_project,
    show_project_to_uploader,
    send_file,
    show_stage,
    show_staged_project,
    send_staged_file,
)
