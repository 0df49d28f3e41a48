"""The pytest fixtures: a context, and the registry of the installed plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from chimes.context import Context
from chimes.registry import Registry

__all__ = ["chimes_context", "chimes_registry"]


@pytest.fixture
def chimes_context(tmp_path: Path) -> Context:
    """A context whose folders lie in this test's own temporary folder."""
    return Context.under(tmp_path / "chimes")


@pytest.fixture
def chimes_registry() -> Registry:
    """The plugins that are installed beside the tests."""
    return Registry.discover()
