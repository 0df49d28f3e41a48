"""The connector ``files``: streams of rows in Parquet, CSV, Arrow IPC and JSON Lines files."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence

import pyarrow as pa
from chimes import Batch, Context, DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.errors import UnsupportedError
from chimes.kinds.predicates import All, Predicate, columns_of, filter_batch, to_expression

from chimes_files.config import FilesConfig
from chimes_files.formats import FORMATS, Source
from chimes_files.partitions import Token, deal, read_token, text_units
from chimes_files.reading import Reading, constants
from chimes_files.schemas import project, with_keys
from chimes_files.storage import Storage, blaming
from chimes_files.streams import DataFile, Stream, find_streams, get_stream, key_fields

__all__ = ["FilesConnector"]


class FilesConnector(DataConnector[FilesConfig]):
    """Every filter is applied exactly, by the SDK's own meaning of it. No state: safe for several threads."""

    Config = FilesConfig

    def __init__(self, config: FilesConfig, context: Context) -> None:
        super().__init__(config, context)
        self._storage = Storage(config, context)

    def ping(self) -> None:
        """Return if the root can be listed. Raises NotFoundError, PermissionDeniedError, UnsupportedError."""
        self._storage.check()

    def discover(self, pattern: str | None = None) -> Iterator[StreamInfo]:
        """The streams by name; opens the first file of each that matches. Raises SchemaMismatchError for a bad one."""
        for name, stream in find_streams(self._storage, self.config).items():
            if pattern is None or fnmatch.fnmatchcase(name, pattern):
                yield StreamInfo(
                    name=name,
                    arrow_schema=self._schema(stream),
                    estimated_rows=self._rows(stream),
                    estimated_bytes=sum(file.size_bytes for file in stream.files),
                )

    def plan(self, request: ReadRequest) -> ReadPlan:
        """Cut by file, row group, stored batch or stripes of rows; at most as many parts as wanted.

        Raises NotFoundError naming an unknown stream or column, SchemaMismatchError for a filter that does
        not fit its column.
        """
        if request.snapshot is not None:
            raise UnsupportedError(f"there is no snapshot {request.snapshot!r} of files", hint="leave `snapshot` out")
        stream = get_stream(find_streams(self._storage, self.config), request.stream)
        schema = self._schema(stream)
        planned = project(schema, request.columns, stream.name)
        for predicate in request.filters:
            to_expression(predicate, schema)
        groups = deal(
            self._files(stream, request.filters), request.partitions, lambda file: self._weights(file, stream, request)
        )
        weighed = stream.format == "parquet"
        partitions = tuple(
            Partition(
                id=f"{number + 1}-of-{len(groups)}",
                token=Token(format=stream.format, arrow_schema=schema, pieces=pieces).model_dump(mode="json"),
                estimated_rows=weight if weighed else None,
            )
            for number, (pieces, weight) in enumerate(groups)
        )
        known = [part.estimated_rows for part in partitions if part.estimated_rows is not None]
        return ReadPlan(
            arrow_schema=planned,
            partitions=partitions,
            exact=(True,) * len(request.filters),
            estimated_rows=sum(known) if len(known) == len(partitions) else self._rows(stream),
        )

    def read(self, request: ReadRequest, partition: Partition) -> Iterator[Batch]:
        """The rows of one part, filtered, at most ``request.limit`` of them.

        Raises InvalidStateError for a token that is no plan's, NotFoundError for a file that is gone,
        SchemaMismatchError naming file and column where a file is damaged or has not the planned schema.
        """
        token = read_token(partition)
        reading = Reading(
            source=Source(self._storage, self.config, path="", stream=request.stream),
            format=FORMATS[token.format],
            schema=token.arrow_schema,
            planned=project(token.arrow_schema, request.columns, request.stream),
            request=request,
        )
        left = request.limit
        for piece in token.pieces:
            for batch in reading.batches(piece):
                self.context.cancel.raise_if_cancelled()
                if left is not None:
                    batch, left = batch.slice(0, left), left - min(left, batch.num_rows)
                if batch.num_rows:
                    yield batch
                if left == 0:
                    return

    def _schema(self, stream: Stream) -> pa.Schema:
        """The whole schema: that of the first file, then the columns that folders' names give."""
        path = stream.files[0].path
        stored = FORMATS[stream.format]
        with blaming(path, stored.label):
            return with_keys(path, stored.schema(self._source(path, stream)), key_fields(stream, self.config))

    def _rows(self, stream: Stream) -> int | None:
        """The rows of a stream that is one Parquet file; others would cost more than a look."""
        if stream.format != "parquet" or len(stream.files) > 1:
            return None
        return sum(self._unit_rows(stream.files[0], stream) or ())

    def _files(self, stream: Stream, filters: Sequence[Predicate]) -> list[DataFile]:
        """The files whose folders' names do not rule out all their rows."""
        keys = key_fields(stream, self.config)
        decided = [predicate for predicate in filters if columns_of(predicate) <= set(stream.keys)]
        if not decided:
            return list(stream.files)
        row = [pa.RecordBatch.from_arrays(constants(file, keys, 1), schema=pa.schema(keys)) for file in stream.files]
        return [
            file
            for file, one in zip(stream.files, row, strict=True)
            if filter_batch(one, All(args=tuple(decided))).num_rows
        ]

    def _weights(self, file: DataFile, stream: Stream, request: ReadRequest) -> Sequence[int]:
        rows = self._unit_rows(file, stream)
        if rows is not None:
            return rows
        count = text_units(file, stream, request.partitions, self.config.min_part_bytes)
        return [max(1, file.size_bytes // count)] * count

    def _unit_rows(self, file: DataFile, stream: Stream) -> Sequence[int] | None:
        stored = FORMATS[stream.format]
        with blaming(file.path, stored.label):
            return stored.unit_rows(self._source(file.path, stream))

    def _source(self, path: str, stream: Stream) -> Source:
        return Source(self._storage, self.config, path, stream.name)
