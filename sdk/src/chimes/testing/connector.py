"""A connector to tables in its configuration, for tests of code that reads data."""

from __future__ import annotations

import base64
import fnmatch
import itertools
from collections.abc import Iterator, Mapping

import pyarrow as pa
from pydantic import Field

from chimes.errors import InvalidStateError, NotFoundError
from chimes.kinds.component import Config
from chimes.kinds.connector import DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.kinds.predicates import filter_batch, to_expression
from chimes.kinds.schema import Batch

__all__ = ["FakeConnector", "FakeConnectorConfig"]


class FakeConnectorConfig(Config):
    """The tables of the fake connector; ``FakeConnectorConfig.of(tables)`` makes one."""

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
        """Always succeeds."""

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
