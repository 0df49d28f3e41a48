"""Finds the installed plugins and loads them; a plugin that fails is a row with its reason."""

from __future__ import annotations

from chimes.registry.distributions import Distribution, find_plugins, normalize, scan
from chimes.registry.loading import import_component, import_target, load_plugin, set_environment
from chimes.registry.plugins import Listing, Plugin
from chimes.registry.registry import Registry

__all__ = [
    "Distribution",
    "Listing",
    "Plugin",
    "Registry",
    "find_plugins",
    "import_component",
    "import_target",
    "load_plugin",
    "normalize",
    "scan",
    "set_environment",
]
