"""Reads one piece of a file as batches of exactly the planned schema, filtered and cut to size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from chimes import ReadRequest
from chimes.errors import SchemaMismatchError
from chimes.kinds.predicates import All, columns_of, filter_batch, to_expression

from chimes_files.batches import cut_batch
from chimes_files.formats import Format, Source, Want
from chimes_files.guessing.forms import plain
from chimes_files.partitions import Piece
from chimes_files.schemas import conform
from chimes_files.storage import blaming
from chimes_files.streams import DataFile

__all__ = ["Reading", "constants"]


@dataclass(frozen=True)
class Reading:
    """What all pieces of a partition have in common.

    ``stored`` is the stream's schema with the forms of guessed types, ``planned`` the schema of the result.
    """

    source: Source
    format: Format
    stored: pa.Schema
    planned: pa.Schema
    request: ReadRequest

    def batches(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """The rows of a piece. Every failure is raised as a ChimesError that names the file."""
        source = replace(self.source, path=piece.path)
        keys = [self.schema.field(name) for name, _ in piece.values]
        with blaming(piece.path, self.format.label):
            for raw in self.format.read(source, self._want(piece)):
                arrays = dict(zip(raw.schema.names, raw.columns, strict=True))
                arrays |= dict(zip((key.name for key in keys), constants(piece, keys, raw.num_rows), strict=True))
                batch = conform(piece.path, arrays, self._needed)
                kept = batch if self._filter is None else filter_batch(batch, self._filter)
                exact = pa.RecordBatch.from_arrays([kept.column(n) for n in self.planned.names], schema=self.planned)
                yield from cut_batch(exact, rows=self.request.batch_rows, size_bytes=self.request.batch_bytes)

    def _want(self, piece: Piece) -> Want:
        keys = {name for name, _ in piece.values}
        stored = pa.schema([field for field in self.stored if field.name not in keys], metadata=self.stored.metadata)
        columns = tuple(name for name in self._needed.names if name not in keys) or tuple(stored.names[:1])
        return Want(
            schema=stored,
            columns=columns,
            units=piece.units,
            prune=self._prune(stored),
            batch_rows=self.request.batch_rows,
            batch_bytes=self.request.batch_bytes,
        )

    @cached_property
    def schema(self) -> pa.Schema:
        """The stream's schema."""
        return plain(self.stored)

    @cached_property
    def _needed(self) -> pa.Schema:
        """The planned columns, then those that are only needed by filters."""
        named = frozenset[str]().union(*map(columns_of, self.request.filters))
        more = [field for field in self.schema if field.name in named and field.name not in self.planned.names]
        return pa.schema([*self.planned, *more])

    @cached_property
    def _filter(self) -> pc.Expression | None:
        filters = self.request.filters
        return to_expression(All(args=filters), self.schema) if filters else None

    def _prune(self, stored: pa.Schema) -> pc.Expression | None:
        """The filters that statistics can decide; not those on floats, as statistics ignore NaN."""
        fit = tuple(
            predicate
            for predicate in self.request.filters
            if all(name in stored.names and _is_ordered(stored.field(name).type) for name in columns_of(predicate))
        )
        return to_expression(All(args=fit), stored) if fit else None


def _is_ordered(dtype: pa.DataType) -> bool:
    return not pt.is_floating(dtype.value_type if pt.is_dictionary(dtype) else dtype)


def constants(piece: Piece | DataFile, keys: Sequence[pa.Field], rows: int) -> list[pa.Array]:
    """The columns that the names of a file's folders give: one value each, repeated ``rows`` times."""
    values, arrays = dict(piece.values), []
    for key in keys:
        text = values[key.name]
        try:
            scalar = pa.scalar(None, key.type) if text is None else pa.scalar(text).cast(key.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaMismatchError(
                f"{key.name}={text} in the path of {piece.path} is not of type {key.type}",
                hint="rename the folder, or declare another type in `schema` or `partition_types`",
            ) from error
        arrays.append(pa.repeat(scalar, rows))
    return arrays
