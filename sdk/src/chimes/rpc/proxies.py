"""Components in another process: proxies with the methods of the interface, which check the type of every answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pyarrow as pa

from chimes.kinds.backend import JobHandle, JobSpec, JobStatus, LogChunk
from chimes.kinds.connector import Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.kinds.model import LoadReport, ModelInfo
from chimes.resources import Device
from chimes.rpc.children import RemoteSession
from chimes.rpc.failure import StepFailedError

__all__ = ["BackendProxy", "ConnectorProxy", "ModelProxy", "Proxy", "expect", "expect_all"]

T = TypeVar("T")
PARTITIONS = 100
"""The suite requests at most four partitions of less than a hundred rows."""


class Proxy:
    """One component in another process."""

    kind: str

    def __init__(self, session: RemoteSession, name: str, config: dict[str, Any], label: str = "component") -> None:
        """Construct the component there. Raises StepFailedError."""
        self.session, self.label = session, label
        session.do("construct", kind=self.kind, name=name, config=config, label=label)

    def call(self, method: str, *args: Any, echo: bool = False, **kwargs: Any) -> Any:
        """Call a method there. Raises StepFailedError."""
        return self.session.do(
            "call", step=method, label=self.label, method=method, args=list(args), kwargs=kwargs, echo=echo
        )


class ModelProxy(Proxy):
    """A model in another process."""

    kind = "model"
    echoes = 0

    def describe(self) -> ModelInfo:
        """The model's information."""
        return expect("describe", self.call("describe"), ModelInfo)

    def load(self, device: Device) -> LoadReport:
        """Load it."""
        return expect("load", self.call("load", device), LoadReport)

    def predict(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict with default parameters."""
        return expect("predict", self.call("predict", batch), pa.RecordBatch)

    def predict_with_echo(self, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        """Predict; return the inputs of all such calls so far, this one included, as they are after the call."""
        self.echoes += 1
        answer = expect("predict", self.call("predict", batch, echo=True), dict)
        expect("predict", answer.get("result"), pa.RecordBatch)
        batches = expect_all("predict", answer.get("args"), pa.RecordBatch)
        if len(batches) != self.echoes:
            raise StepFailedError("predict", answer="count")
        return batches


class ConnectorProxy(Proxy):
    """A connector in another process."""

    kind = "connector"

    def discover(self, pattern: str | None = None) -> list[StreamInfo]:
        """The streams."""
        return expect_all("discover", self.call("discover", pattern), StreamInfo)

    def plan(self, request: ReadRequest) -> ReadPlan:
        """A plan."""
        plan = expect("plan", self.call("plan", request), ReadPlan)
        if len(plan.partitions) > PARTITIONS:
            raise StepFailedError("plan", answer="large", said=f"{len(plan.partitions)} partitions")
        return plan

    def read(self, request: ReadRequest, partition: Partition) -> list[pa.RecordBatch]:
        """All batches of a partition."""
        return expect_all("read", self.call("read", request, partition), pa.RecordBatch)

    def read_table(self, request: ReadRequest, plan: ReadPlan) -> pa.Table:
        """All rows of all partitions, with the schema of the batches; or with the planned schema without batches."""
        batches = [batch for partition in plan.partitions for batch in self.read(request, partition)]
        return to_table(batches, plan.arrow_schema)


class BackendProxy(Proxy):
    """A backend in another process."""

    kind = "backend"

    def submit(self, job: JobSpec, key: str) -> JobHandle:
        """Submit a job."""
        return expect("submit", self.call("submit", job, key=key), JobHandle)

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """The jobs' status."""
        found = expect_all("status", self.call("status", list(handles)), JobStatus)
        if len(found) != len(handles):
            raise StepFailedError("status", answer="count", said=f"{len(found)} for {len(handles)} handles")
        return found

    def cancel(self, handle: JobHandle, grace_s: float) -> None:
        """Cancel a job."""
        self.call("cancel", handle, grace_s=grace_s)

    def logs(self, handle: JobHandle) -> LogChunk:
        """The first bytes of its standard output."""
        return expect("logs", self.call("logs", handle), LogChunk)


def to_table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Batches as one table. Raises StepFailedError if their schemas differ from each other."""
    try:
        return pa.Table.from_batches(batches) if batches else schema.empty_table()
    except pa.ArrowInvalid as error:
        raise StepFailedError("read", answer="type", said=str(error)) from error


def expect(step: str, value: Any, kind: type[T]) -> T:
    """``value`` if it is a ``kind``, else StepFailedError."""
    if not isinstance(value, kind):
        raise StepFailedError(step, answer="type", said=f"returned {type(value).__name__}, not {kind.__name__}")
    return value


def expect_all(step: str, value: Any, kind: type[T]) -> list[T]:
    """``value`` if it is a list of ``kind``, else StepFailedError."""
    return [expect(step, item, kind) for item in expect(step, value, list)]
