"""Reads the rows of a plan: checks each batch, applies the filters that the source did not apply, and the limit.

>>> stream = as_stream(connector, ReadRequest(stream="patients"))  # doctest: +SKIP
>>> polars.DataFrame(stream)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from chimes.errors import SchemaMismatchError
from chimes.host.components import closing as guarded_closing
from chimes.kinds.connector import DataConnector, Partition, ReadPlan, ReadRequest
from chimes.kinds.predicates import filter_batch
from chimes.kinds.schema import import_batch

__all__ = ["PlannedRead", "as_stream", "read_table"]


@dataclass(frozen=True)
class PlannedRead:
    """A read with its plan, readable any number of times.

    It exports ``__arrow_c_stream__``, so that polars, DuckDB and pyarrow read it without a copy. It
    raises SchemaMismatchError, the plugin's fault, where the connector departs from its own plan.
    """

    connector: DataConnector[Any]
    request: ReadRequest
    plan: ReadPlan

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self.plan.arrow_schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows that pass the filters, at most ``limit``, partition after partition."""
        left = self.request.limit
        for partition in self.plan.partitions:
            if left == 0:
                return
            with closing(self._partition(partition)) as batches:
                for batch in batches:
                    kept = batch if left is None else batch.slice(0, left)
                    left = None if left is None else left - kept.num_rows
                    yield kept
                    if left == 0:
                        break

    def table(self) -> pa.Table:
        """All of it in memory."""
        return pa.Table.from_batches(self.batches(), schema=self.schema)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, self.batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _partition(self, partition: Partition) -> Generator[pa.RecordBatch, None, None]:
        again = [
            predicate
            for i, predicate in enumerate(self.request.filters)
            if not (i < len(self.plan.exact) and self.plan.exact[i])
        ]
        answers = self.connector.read(self.request, partition)
        kind = type(self.connector)
        with guarded_closing(answers, f"read of {kind.__module__}:{kind.__qualname__}"):
            for answer in answers:
                batch = _checked(import_batch(answer), self.schema)
                for predicate in again:
                    batch = filter_batch(batch, predicate)
                if batch.num_rows:
                    yield batch


def as_stream(connector: DataConnector[Any], request: ReadRequest) -> PlannedRead:
    """Plan a read; nothing is read before the result is iterated. Raises what ``plan`` raises."""
    return PlannedRead(connector, request, connector.plan(request))


def read_table(connector: DataConnector[Any], request: ReadRequest) -> pa.Table:
    """Plan and read everything into memory."""
    return as_stream(connector, request).table()


def _checked(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    for planned in schema:
        found = batch.schema.field(planned.name) if batch.schema.names.count(planned.name) == 1 else None
        if found is None or not found.equals(planned):
            what = f"is {found.type}" if found is not None else "is missing or repeated"
            raise _departed(f"column {planned.name!r} was planned as {planned.type} and {what}")
    raise _departed(f"columns {', '.join(schema.names)} were planned, {', '.join(batch.schema.names)} were read")


def _departed(what: str) -> SchemaMismatchError:
    hint = "the connector's read must yield exactly the planned schema; if the source has changed, run it again"
    return SchemaMismatchError(f"the connector departs from its plan: {what}", hint=hint, fault="plugin")
