"""Streams that are Arrow IPC files in one folder."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from chimes import Config, DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.errors import NotFoundError
from chimes.kinds.predicates import filter_batch


class StrictConfig(Config):
    """Where the files are."""

    root: str = Field(description="Folder with the files.")


class StrictConnector(DataConnector[StrictConfig]):
    """Reads one file for each stream, a range of rows for each partition."""

    Config = StrictConfig

    def ping(self) -> None:
        """The folder must be there."""
        if not Path(self.config.root).is_dir():
            raise NotFoundError(f"there is no folder {self.config.root}", hint="make it")

    def discover(self, pattern: str | None = None) -> Iterator[StreamInfo]:
        """One stream for each file, by name."""
        for path in sorted(Path(self.config.root).glob("*.arrow")):
            if pattern is None or fnmatch.fnmatchcase(path.stem, pattern):
                table = self.table(path.stem)
                yield StreamInfo(name=path.stem, arrow_schema=table.schema, estimated_rows=table.num_rows)

    def plan(self, request: ReadRequest) -> ReadPlan:
        """As many ranges of rows as were asked for, at most one for each row."""
        table = self.table(request.stream)
        count = max(1, min(request.partitions, table.num_rows))
        edges = [table.num_rows * i // count for i in range(count + 1)]
        parts = [Partition(id=str(i), token=[a, b]) for i, (a, b) in enumerate(itertools.pairwise(edges))]
        schema = self.project(table, request).schema
        return ReadPlan(arrow_schema=schema, partitions=tuple(parts), exact=(True,) * len(request.filters))

    def read(self, request: ReadRequest, partition: Partition) -> Iterator[Any]:
        """The rows of one range, in batches of the size asked for."""
        token: Any = partition.token
        start, stop = token
        rows = self.table(request.stream).slice(start, stop - start)
        for batch in rows.to_batches(max_chunksize=request.batch_rows):
            kept = batch
            for predicate in request.filters:
                kept = filter_batch(kept, predicate)
            yield from self.project(pa.Table.from_batches([kept]), request).to_batches()

    def table(self, stream: str) -> pa.Table:
        """All rows of a stream."""
        path = Path(self.config.root, f"{stream}.arrow")
        if not path.is_file():
            raise NotFoundError(f"there is no stream {stream!r}", hint="ask discover for the names")
        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
            return reader.read_all().combine_chunks()

    def project(self, table: pa.Table, request: ReadRequest) -> pa.Table:
        """The columns asked for, in the order asked for."""
        if request.columns is None:
            return table
        unknown = [name for name in request.columns if name not in table.column_names]
        if unknown:
            raise NotFoundError(f"stream {request.stream!r} has no column {unknown[0]!r}", hint="ask discover")
        return table.select(list(request.columns))
