"""A composed pipeline: what the worker needs, as JSON, and what is shown before the run."""

from __future__ import annotations

from pathlib import Path

from chimes.kinds.component import Value
from chimes.kinds.connector import ReadPlan, ReadRequest
from chimes.kinds.model import ModelInfo
from chimes.kinds.schema import ArrowSchema
from chimes.pipelines.placement import Placement
from chimes.pipelines.projection import ColumnMatch
from chimes.pipelines.spec import Pipeline
from chimes.resources import Device, Resources

__all__ = ["Composition"]


class Composition(Value):
    """A pipeline whose parts fit: what the worker needs, as JSON, and what is shown before the run.

    ``secrets`` are names of environment variables, never their values.
    """

    pipeline: Pipeline
    request: ReadRequest
    read_plan: ReadPlan
    model_info: ModelInfo
    columns: tuple[ColumnMatch, ...]
    output_schema: ArrowSchema
    resources: Resources
    placements: tuple[Placement, ...]
    workdir: str
    secrets: tuple[str, ...]
    versions: dict[str, str]

    @property
    def device(self) -> Device:
        """Where the model is to be loaded."""
        return Device.parse(self.pipeline.model.device)

    @property
    def output_path(self) -> Path:
        """The file to write."""
        return Path(self.pipeline.output.path)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The projection as a table: input and type, source column (if named otherwise) and type, cast, verdict."""
        return [
            (
                f"{m.input}: {m.input_type}",
                f"{m.source_type}" if m.source == m.input else f"{m.source}: {m.source_type}",
                m.cast or "",
                m.verdict,
            )
            for m in self.columns
        ]
