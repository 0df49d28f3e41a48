"""The author's part of conformance: what to try, and how to fill a source.

A harness is a class inside the wheel, named by the registration, made without arguments and imported
only in the child. What it says is not trusted.
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

    A connector's harness answers ``seed`` with the configuration that reads what was put there.
    """

    name: str = "default"
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    device: str = "cpu"


class Harness(Protocol):
    """What every harness has. ``context`` gives folders; the suite constructs the components."""

    def cases(self, context: Context) -> Sequence[Case]:
        """At least one case; files that the configuration names may be written under ``context.tmp``."""


@runtime_checkable
class ModelHarness(Harness, Protocol):
    """A model's harness where random rows of the schema make no sense (a solver's instances)."""

    def inputs(self, case: Case, rng: random.Random, rows: int) -> pa.RecordBatch:
        """``rows`` valid rows of the model's input schema, all randomness from ``rng``."""


class ConnectorHarness(Harness, Protocol):
    """A connector's harness: fills a source with the suite's tables. Without it the checks of data are not run."""

    def types(self, case: Case) -> Sequence[pa.DataType]:
        """The Arrow types that the connector carries without loss."""

    def seed(self, case: Case, tables: Mapping[str, pa.Table], context: Context) -> Mapping[str, JsonValue]:
        """Put the tables into the source as streams of these names; return the configuration that reads them."""


class BackendHarness(Harness, Protocol):
    """A backend's harness: its cases are enough."""
