"""The connector ``files``: streams of rows in Parquet, CSV, Arrow IPC and JSON Lines files."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence

import pyarrow as pa
from chimes import Batch, Context, DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.errors import NotFoundError, PermissionDeniedError, UnsupportedError
from chimes.kinds.predicates import All, Predicate, columns_of, filter_batch, to_expression
from chimes.text import escape

from chimes_files.config import FilesConfig
from chimes_files.formats import FORMATS, Source
from chimes_files.guessing.forms import plain
from chimes_files.partitions import Token, deal, read_token, text_units
from chimes_files.reading import Reading, constants
from chimes_files.schemas import check_declared, project, with_keys
from chimes_files.storage import Storage, blaming
from chimes_files.streams import DataFile, Listing, Stream, find_streams, key_fields

__all__ = ["FilesConnector"]


class FilesConnector(DataConnector[FilesConfig]):
    """Applies every filter exactly, as the SDK defines it. It has no state and may be used by several threads."""

    Config = FilesConfig

    def __init__(self, config: FilesConfig, context: Context) -> None:
        super().__init__(config, context)
        self._storage = Storage(config, context)

    def ping(self) -> None:
        """Return if the root can be listed. Raises NotFoundError, PermissionDeniedError, UnsupportedError."""
        self._storage.check()

    def discover(self, pattern: str | None = None) -> Iterator[StreamInfo]:
        """The streams by name; examines the first file of each that matches, and of text some more.

        Logs a warning for each stream that cannot be read, and leaves it out. Raises SchemaMismatchError for a
        file with invalid content.
        """
        listing = find_streams(self._storage, self.config)
        self._report(listing)
        for name in listing.streams:
            if pattern is not None and not fnmatch.fnmatchcase(name, pattern):
                continue
            try:
                yield self._info(listing.get(name))
            except (NotFoundError, PermissionDeniedError, UnsupportedError) as error:
                self.context.log.warning("stream %r is left out: %s", name, escape(error.message))

    def _report(self, listing: Listing) -> None:
        for path in listing.unnamed:
            self.context.log.warning("%s is left out: its stream's name is not UTF-8", escape(path))
        for key in self.config.declared:
            if not any(name == key or fnmatch.fnmatchcase(name, key) for name in listing.streams):
                self.context.log.warning("`schema` has an entry for %r, but there is no such stream", key)
        if listing.ignored:
            self.context.log.info(
                "%d files are ignored, as their suffix names no format; the first is %s",
                len(listing.ignored),
                escape(listing.ignored[0]),
            )

    def _info(self, stream: Stream) -> StreamInfo:
        return StreamInfo(
            name=stream.name,
            arrow_schema=plain(self._schema(stream)),
            estimated_rows=self._rows(stream),
            estimated_bytes=sum(file.size_bytes for file in stream.files),
        )

    def plan(self, request: ReadRequest) -> ReadPlan:
        """Cut by file, row group, stored batch or stripes of rows; at most as many parts as wanted.

        Raises NotFoundError naming an unknown stream or column, UnsupportedError for a stream that cannot be read
        completely, SchemaMismatchError for a filter that does not fit its column.
        """
        if request.snapshot is not None:
            raise UnsupportedError(f"there is no snapshot {request.snapshot!r} of files", hint="leave `snapshot` out")
        stream = find_streams(self._storage, self.config).get(request.stream)
        stored = self._schema(stream)
        schema = plain(stored)
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
                token=Token(format=stream.format, arrow_schema=stored, pieces=pieces).model_dump(mode="json"),
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

        Raises InvalidStateError for a token that ``plan`` did not make, NotFoundError for a file that was removed,
        SchemaMismatchError naming file and column where a file is damaged or does not have the planned schema.
        """
        token = read_token(partition)
        reading = Reading(
            source=Source(self._storage, self.config, path="", stream=request.stream),
            format=FORMATS[token.format],
            stored=token.arrow_schema,
            planned=project(plain(token.arrow_schema), request.columns, request.stream),
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
        """The whole schema, with the forms of guessed types: columns of files, then columns of folder names."""
        path = stream.files[0].path
        stored = FORMATS[stream.format]
        sources = [self._source(file.path, stream) for file in stream.files]
        with blaming(path, stored.label):
            schema = with_keys(path, stored.schema(sources), key_fields(stream, self.config))
            declared = self.config.types_of(stream.name, stream.format)
            named = self.config.declared.get(stream.name, {})
            check_declared(path, schema, {name: declared[name] for name in named})
        return schema

    def _rows(self, stream: Stream) -> int | None:
        """The number of rows if the stream is one Parquet file, whose footer has it; else None."""
        if stream.format != "parquet" or len(stream.files) > 1:
            return None
        return sum(self._unit_rows(stream.files[0], stream) or ())

    def _files(self, stream: Stream, filters: Sequence[Predicate]) -> list[DataFile]:
        """The files, without those that the filters rule out by their folders' names."""
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
        return Source(self._storage, self.config, path, stream.name, stream.keys)
