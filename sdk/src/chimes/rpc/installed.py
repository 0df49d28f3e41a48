"""Finds the distribution whose components a child serves. Loads nothing heavy."""

from __future__ import annotations

import site
import sys

from chimes.errors import PluginLoadError
from chimes.registry import Distribution, normalize, scan

__all__ = ["add_site", "find_distribution"]


def add_site(folder: str) -> None:
    """Put ``folder`` first on the import path."""
    if folder not in sys.path:
        site.addsitedir(folder)
        sys.path.insert(0, folder)


def find_distribution(name: str, folder: str) -> Distribution:
    """The distribution with entry points of this name in ``folder`` or on ``sys.path``. Raises PluginLoadError."""
    for found in scan([folder, *sys.path]):
        if found.name == normalize(name):
            return found
    raise PluginLoadError(f"no plugin {name!r} is installed in {folder}")
