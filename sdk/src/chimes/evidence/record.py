"""The run record: when, where and how long a run took, with the facts that its checks observed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from chimes.evidence.plain import JsonObject, Text
from chimes.kinds.component import Value
from chimes.kinds.descriptors import Kind

__all__ = ["CheckRecord", "ComponentRecord", "Facts", "RunRecord"]

Facts = dict[str, Any]
"""What a check observed: values of JSON only."""


class CheckRecord(Value):
    """What one check observed, text of the plugin that its findings quote, and the time that it took in seconds."""

    code: Text
    seconds: float = 0.0
    facts: JsonObject = Field(default_factory=dict)
    said: tuple[Text, ...] = ()


class ComponentRecord(Value):
    """The records of one component's checks."""

    kind: Kind
    name: Text
    checks: tuple[CheckRecord, ...]


class RunRecord(Value):
    """One run. Times are in seconds; a lane adds its name, the attempt, the nodes and the times of the job.

    ``check_s``: from the start of the checks to their end, None where they left no record; ``queued_s``: from the
    request to the start of the job; ``run_s``: from the start of the job to its end.
    """

    format: Literal["chimes.run/1"] = "chimes.run/1"
    check_s: float | None
    checks: tuple[CheckRecord, ...] = ()
    components: tuple[ComponentRecord, ...] = ()
    lane: Text | None = None
    attempt: int | None = None
    nodes: tuple[Text, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    queued_s: float | None = None
    run_s: float | None = None

    def to_bytes(self) -> bytes:
        """The record as JSON text, indented."""
        return self.model_dump_json(indent=2).encode("utf-8")
