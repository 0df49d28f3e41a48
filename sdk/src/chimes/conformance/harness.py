"""The author's part of conformance: configurations to try, and how to fill a source with data.

A harness is a class inside the wheel, named by the registration. It is imported only in the child, and constructed
without arguments. Its answers are not trusted.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa
from pydantic import JsonValue

from chimes.context import Context

__all__ = ["BackendHarness", "Case", "ConnectorHarness", "Harness", "ModelHarness"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One valid configuration to try; ``device`` is where a model is loaded.

    The ``seed`` method of a connector's harness returns the configuration that reads the seeded data.
    """

    name: str = "default"
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    device: str = "cpu"


class Harness(Protocol):
    """The method of every harness. ``context`` has folders; the suite constructs the components."""

    def cases(self, context: Context) -> Sequence[Case]:
        """At least one case; files that the configuration names may be written under ``context.tmp``."""


@runtime_checkable
class ModelHarness(Harness, Protocol):
    """The harness of a model for which random rows of the schema make no sense (a solver's instances)."""

    def inputs(self, case: Case, rng: random.Random, rows: int) -> pa.RecordBatch:
        """``rows`` valid rows of the model's input schema, all randomness from ``rng``."""


class ConnectorHarness(Harness, Protocol):
    """A connector's harness: fills a source with the suite's tables. Without it the checks of data are skipped."""

    def types(self, case: Case) -> Sequence[pa.DataType]:
        """The Arrow types that the connector carries without loss."""

    def seed(self, case: Case, tables: Mapping[str, pa.Table], context: Context) -> Mapping[str, JsonValue]:
        """Store the tables in the source as streams of these names; return the configuration that reads them."""


class BackendHarness(Harness, Protocol):
    """A backend's harness: its cases are enough."""
