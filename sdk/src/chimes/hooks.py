"""The whole extension surface on one page: every hook that a plugin may implement.

A plugin is a distribution with an entry point in group ``chimes`` that names a light module; the
module's ``@hookimpl`` functions announce its components.
"""

from __future__ import annotations

import pluggy

from chimes.registration import Registration

__all__ = ["ENTRY_POINT_GROUP", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "chimes"
ENTRY_POINT_GROUP = "chimes"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def chimes_models() -> list[Registration]:  # type: ignore[empty-body]
    """The models of this plugin. Imports only ``chimes``; returns the same on every call."""


@hookspec
def chimes_connectors() -> list[Registration]:  # type: ignore[empty-body]
    """The data connectors of this plugin. Imports only ``chimes``; returns the same on every call."""


@hookspec
def chimes_backends() -> list[Registration]:  # type: ignore[empty-body]
    """The compute backends of this plugin. Imports only ``chimes``; returns the same on every call."""
