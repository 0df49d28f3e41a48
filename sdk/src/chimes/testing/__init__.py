"""What a plugin's tests stand on: a fake of each kind that keeps its interface's promises, and pytest fixtures.

Needs pytest. Load the fixtures with ``-p chimes.testing`` in pytest's ``addopts``, as the templates do.
"""

from __future__ import annotations

import base64
import fnmatch
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import Field, JsonValue

from chimes.conformance.catalogue import CHECKS
from chimes.conformance.report import Report
from chimes.context import Context
from chimes.errors import (
    ConfigError,
    ConflictError,
    DeviceUnavailableError,
    InfeasibleError,
    InvalidJobError,
    InvalidStateError,
    NotFoundError,
    SchemaMismatchError,
)
from chimes.kinds.backend import ComputeBackend, Inventory, JobHandle, JobSpec, JobState, JobStatus, LogChunk, Pool
from chimes.kinds.component import Config
from chimes.kinds.connector import DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.kinds.model import NO_PARAMS, LoadReport, Model, ModelInfo, Signature
from chimes.kinds.predicates import filter_batch, to_expression
from chimes.kinds.schema import Batch
from chimes.registry import Registry
from chimes.resources import Device

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


@pytest.fixture
def chimes_context(tmp_path: Path) -> Context:
    """A context whose folders lie in this test's own temporary folder."""
    return Context.under(tmp_path / "chimes")


@pytest.fixture
def chimes_registry() -> Registry:
    """The plugins that are installed beside the tests."""
    return Registry.discover()


def suite(address: str) -> type:
    """The conformance suite of an installed plugin (or of one component, ``plugin:component``) as a test class.

    Assign it to a name that pytest collects (``TestConformance = suite("acme-weather")``): each check is an item,
    ``test_check[M11]``. The suite runs once, in child processes, when the first item does. Raises NotFoundError if
    nothing of that name is installed.
    """
    distribution, _, component = address.partition(":")
    found = Registry.discover(only=[distribution]).listings
    kinds = {item.kind for item in found if component in ("", item.registration.name)}
    if not kinds:
        raise NotFoundError(f"nothing called {address!r} is installed", hint="install it: pip install -e .")
    planned = [check for check in CHECKS if getattr(check, "kind", None) in (None, *kinds)]

    @functools.cache
    def report() -> Report:
        from chimes.conformance.run import check_installed  # noqa: PLC0415 - needs the extra `check`

        return check_installed(distribution)

    @pytest.mark.parametrize("code", [check.code for check in planned])
    def test_check(self: object, code: str) -> None:
        results = [result for result in report().results if result.code == code]
        findings = [finding for result in results for finding in result.findings if finding.severity == "error"]
        assert not findings, "\n".join(f"{f.message} (fix: {f.fix}) {f.said or ''}" for f in findings)

    return type("TestConformance", (), {"test_check": test_check, "__doc__": f"The suite of {address}."})


class FakeModelConfig(Config):
    """What the fake model does."""

    factor: float = Field(default=2.0, description="What every value is multiplied by.")


class FakeModel(Model[FakeModelConfig]):
    """Multiplies ``value`` (float64, no nulls) and returns it as ``product``; ``seen`` lists the rows of each batch."""

    Config = FakeModelConfig
    INPUTS = pa.schema([pa.field("value", pa.float64(), nullable=False)])
    OUTPUTS = pa.schema([pa.field("product", pa.float64(), nullable=False)])

    def __init__(self, config: FakeModelConfig, context: Context) -> None:
        super().__init__(config, context)
        self.loaded_on: Device | None = None
        self.seen: list[int] = []

    @classmethod
    def describe(cls, config: FakeModelConfig) -> ModelInfo:
        """The signature; bitwise repeatable."""
        return ModelInfo(signature=Signature(inputs=cls.INPUTS, outputs=cls.OUTPUTS, determinism="bitwise"))

    def load(self, device: Device) -> LoadReport:
        """Load onto the CPU; raises DeviceUnavailableError for any other device."""
        if device != Device("cpu"):
            raise DeviceUnavailableError(f"the fake model does not run on {device}", hint="load it on cpu")
        self.loaded_on = device
        return LoadReport(device=str(device), memory_bytes=0, precision="float64")

    def predict(self, batch: Batch, *, params: Mapping[str, JsonValue] = NO_PARAMS) -> Batch:
        """One product for each value. Raises InvalidStateError, ConfigError, SchemaMismatchError."""
        if self.loaded_on is None:
            raise InvalidStateError("predict was called before load", hint="call load first")
        if params:
            raise ConfigError(f"unknown parameter {next(iter(params))!r}", hint="the fake model takes none")
        if [(field.name, field.type) for field in batch.schema] != [("value", pa.float64())]:
            raise SchemaMismatchError(
                f"the columns are {', '.join(batch.schema.names) or 'none'}", hint="give one column, value: float64"
            )
        if batch.column("value").null_count:
            raise SchemaMismatchError("column 'value' holds nulls", hint="drop these rows, or fill them")
        self.seen.append(batch.num_rows)
        return pa.RecordBatch.from_arrays([pc.multiply(batch.column("value"), self.config.factor)], schema=self.OUTPUTS)


class FakeConnectorConfig(Config):
    """What the fake connector holds; ``FakeConnectorConfig.of(tables)`` makes one."""

    tables: dict[str, str] = Field(
        default_factory=dict, description="The streams by name, each a base64 Arrow IPC stream."
    )

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table]) -> FakeConnectorConfig:
        """A configuration that carries these tables, so that any process can read them."""
        return cls(tables={name: _pack(table) for name, table in tables.items()})


def _pack(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode("ascii")


class FakeConnector(DataConnector[FakeConnectorConfig]):
    """Serves the tables of its configuration; partitions are ranges of rows, every filter is exact."""

    Config = FakeConnectorConfig

    def ping(self) -> None:
        """Always there."""

    def discover(self, pattern: str | None = None) -> Iterator[StreamInfo]:
        """One stream for each table, sorted by name."""
        for name in sorted(self.config.tables):
            if pattern is None or fnmatch.fnmatchcase(name, pattern):
                table = self._table(name)
                yield StreamInfo(name=name, arrow_schema=table.schema, estimated_rows=table.num_rows)

    def plan(self, request: ReadRequest) -> ReadPlan:
        """As many ranges of rows as are asked for, none empty unless the table is. Raises NotFoundError."""
        table = self._table(request.stream)
        for predicate in request.filters:
            to_expression(predicate, table.schema)
        count = max(1, min(request.partitions, table.num_rows))
        edges = [table.num_rows * index // count for index in range(count + 1)]
        partitions = tuple(
            Partition(id=f"{start}-{stop}", token=[start, stop], estimated_rows=stop - start)
            for start, stop in itertools.pairwise(edges)
        )
        return ReadPlan(
            arrow_schema=self._select(table, request).schema,
            partitions=partitions,
            exact=(True,) * len(request.filters),
            estimated_rows=table.num_rows,
        )

    def read(self, request: ReadRequest, partition: Partition) -> Iterator[Batch]:
        """The rows of one range that pass all filters, in batches of at most ``batch_rows``."""
        start, stop = _range(partition)
        rows = self._table(request.stream).slice(start, stop - start).combine_chunks()
        for predicate in request.filters:
            kept = [filter_batch(batch, predicate) for batch in rows.to_batches()]
            rows = pa.Table.from_batches(kept, rows.schema).combine_chunks()
        yield from self._select(rows, request).slice(0, request.limit).to_batches(max_chunksize=request.batch_rows)

    def _table(self, stream: str) -> pa.Table:
        packed = self.config.tables.get(stream)
        if packed is None:
            known = ", ".join(sorted(self.config.tables)) or "none"
            raise NotFoundError(f"there is no stream {stream!r}", hint=f"streams: {known}")
        return pa.ipc.open_stream(base64.b64decode(packed)).read_all()

    def _select(self, table: pa.Table, request: ReadRequest) -> pa.Table:
        if request.columns is None:
            return table
        for column in request.columns:
            if column not in table.schema.names:
                known = ", ".join(table.schema.names)
                raise NotFoundError(f"there is no column {column!r} in {request.stream!r}", hint=f"columns: {known}")
        return table.select(list(request.columns))


def _range(partition: Partition) -> tuple[int, int]:
    match partition.token:
        case [int(start), int(stop)]:
            return start, stop
    raise InvalidStateError(f"partition {partition.id!r} is not of this connector", hint="use a partition of its plan")


class FakeBackendConfig(Config):
    """How the fake backend behaves."""

    automatic: bool = Field(
        default=True, description="Whether a job succeeds as soon as it is submitted; else it waits for the test."
    )
    cpus: int = Field(default=4, ge=1, description="The processors of its only node.")


@dataclass
class _Job:
    handle: JobHandle
    state: JobState = JobState.QUEUED
    exit_code: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""


class FakeBackend(ComputeBackend[FakeBackendConfig]):
    """Runs nothing: jobs are entries in memory, which a test moves on with ``start`` and ``finish``."""

    Config = FakeBackendConfig

    def __init__(self, config: FakeBackendConfig, context: Context) -> None:
        super().__init__(config, context)
        self.submitted: list[JobSpec] = []
        self._jobs: dict[str, _Job] = {}

    def start(self, handle: JobHandle) -> None:
        """Let a waiting job run; raises InvalidStateError if it does not wait."""
        job = self._get(handle)
        if job.state != JobState.QUEUED:
            raise InvalidStateError(f"job {handle.key!r} is {job.state}", hint="start a job once, before it ends")
        job.state = JobState.RUNNING

    def finish(self, handle: JobHandle, *, exit_code: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Let a job end with this exit status and output; raises InvalidStateError if it has ended."""
        job = self._get(handle)
        if job.state.is_final:
            raise InvalidStateError(f"job {handle.key!r} is {job.state}", hint="a final state stays")
        job.state = JobState.SUCCEEDED if exit_code == 0 else JobState.FAILED
        job.exit_code, job.stdout, job.stderr = exit_code, stdout, stderr

    def ping(self) -> None:
        """Always there."""

    def inventory(self) -> Inventory:
        """One node with the configured processors, no accelerators."""
        return Inventory(pools=(Pool(name="fake", nodes=1, cpus=self.config.cpus),))

    def submit(self, job: JobSpec, *, key: str) -> JobHandle:
        """Note the job. Raises ConflictError, InvalidJobError, InfeasibleError."""
        digest = job.sha256()
        if key in self._jobs:
            handle = self._jobs[key].handle
            if handle.spec_sha256 != digest:
                raise ConflictError(f"key {key!r} stands for another job", hint="use a key of its own for each job")
            return handle
        self._check(job)
        handle = JobHandle(
            backend="fake",
            native_id=str(len(self._jobs) + 1),
            key=key,
            spec_sha256=digest,
            control_url="memory:",
            submitted_at=datetime.now(UTC),
        )
        self.submitted.append(job)
        self._jobs[key] = _Job(handle)
        if self.config.automatic:
            self.finish(handle)
        return handle

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """One status for each handle; a job of another backend is LOST."""
        return [self._status(self._find(handle)) for handle in handles]

    def cancel(self, handle: JobHandle, *, grace_s: float = 30) -> None:
        """End a job at once; nothing happens to one that has ended. Raises NotFoundError."""
        job = self._get(handle)
        if not job.state.is_final:
            job.state = JobState.CANCELLED

    def logs(
        self,
        handle: JobHandle,
        *,
        stream: Literal["stdout", "stderr"] = "stdout",
        task: int = 0,
        offset: int = 0,
        limit_bytes: int = 1 << 20,
    ) -> LogChunk:
        """Part of what ``finish`` was given. Raises NotFoundError."""
        job = self._get(handle)
        whole = job.stdout if stream == "stdout" else job.stderr
        data = whole[offset : offset + limit_bytes]
        end = offset + len(data)
        return LogChunk(data=data, offset=offset, next_offset=end, eof=job.state.is_final and end >= len(whole))

    def _check(self, job: JobSpec) -> None:
        if job.native:
            raise InvalidJobError(f"unknown native option {next(iter(job.native))!r}", hint="this backend has none")
        wanted = job.resources.cpus_per_task * job.resources.tasks_per_node
        if job.resources.accelerators or job.resources.nodes > 1 or wanted > self.config.cpus:
            raise InfeasibleError(
                "the job asks for more than the fake backend has",
                near_misses=(f"fake: 1 node, {self.config.cpus} cpus, no accelerators",),
                hint="ask for less, or raise cpus in its configuration",
            )

    def _find(self, handle: JobHandle) -> _Job | None:
        job = self._jobs.get(handle.key)
        return job if job is not None and job.handle == handle else None

    def _get(self, handle: JobHandle) -> _Job:
        job = self._find(handle)
        if job is None:
            raise NotFoundError(f"there is no job {handle.key!r} here", hint="use a handle that this backend gave")
        return job

    def _status(self, job: _Job | None) -> JobStatus:
        now = datetime.now(UTC)
        if job is None:
            return JobStatus(state=JobState.LOST, observed_at=now, reason="unknown")
        match job.state:
            case JobState.FAILED:
                return JobStatus(
                    state=job.state, observed_at=now, reason="exit_code", fault="user", exit_code=job.exit_code
                )
            case JobState.CANCELLED:
                return JobStatus(state=job.state, observed_at=now, reason="cancelled")
        return JobStatus(state=job.state, observed_at=now, exit_code=job.exit_code)
