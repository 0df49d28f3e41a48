"""For the tests of plugins: a fake of each kind that keeps its interface's promises, fixtures, and the suite.

Needs pytest. Load the fixtures with ``-p chimes.testing`` in pytest's ``addopts``, as the templates do.
"""

from __future__ import annotations

from chimes.testing.backend import FakeBackend, FakeBackendConfig
from chimes.testing.conformance import suite
from chimes.testing.connector import FakeConnector, FakeConnectorConfig
from chimes.testing.fixtures import chimes_context, chimes_registry
from chimes.testing.model import FakeModel, FakeModelConfig

__all__ = [
    "FakeBackend",
    "FakeBackendConfig",
    "FakeConnector",
    "FakeConnectorConfig",
    "FakeModel",
    "FakeModelConfig",
    "chimes_context",
    "chimes_registry",
    "suite",
]
