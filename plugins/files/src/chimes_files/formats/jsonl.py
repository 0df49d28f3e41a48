"""JSON Lines: fields as configured or found in the first block, rows in stripes.

Decimals, dates and timestamps are written as text (ISO 8601); times and durations as whole numbers of their unit.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.json as pajson
import pyarrow.types as pt
from chimes.errors import SchemaMismatchError

from chimes_files.batches import every_nth
from chimes_files.formats.format import STRIPE_ROWS, Source, Want
from chimes_files.types import parse_type

__all__ = ["JsonlFormat"]

_BLOCK_BYTES = 1 << 16
_DEEPEST = 64
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Each bracket, and each text as a whole, so that the brackets in it are passed over."""


class JsonlFormat:
    """A field that a row lacks is null; a field that was not planned is an error."""

    label = "JSON Lines"
    has_units = False

    def schema(self, source: Source) -> pa.Schema:
        """The stream's configured fields; if it has none, those found in the first block."""
        options = source.config.jsonl
        types = options.streams.get(source.stream, options.types)
        given = pa.schema([(name, parse_type(spec)) for name, spec in types.items()])
        if source.stream in options.streams or _is_empty(source):
            return given
        _check_depth(source)
        with _open(source, given, "infer") as reader:
            found = reader.schema
        return pa.schema([given.field(field.name) if field.name in given.names else field for field in found])

    def unit_rows(self, source: Source) -> None:
        """There are no units."""
        return

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """All rows, or those of some stripes."""
        if _is_empty(source):
            return
        start, stop, total = want.units or (0, 1, 1)
        with _open(source, want.schema, "error") as reader:
            batches = (_typed(batch, want, source.path) for batch in reader)
            yield from every_nth(batches, start=start, stop=stop, total=total, stripe=STRIPE_ROWS)


@contextmanager
def _open(source: Source, schema: pa.Schema, unexpected: str) -> Iterator[pa.RecordBatchReader]:
    written = pa.schema([(field.name, _written(field.type)) for field in schema])
    read = pajson.ReadOptions(block_size=source.config.block_bytes)
    parse = pajson.ParseOptions(explicit_schema=written, unexpected_field_behavior=unexpected)
    try:
        with (
            source.storage.open_text(source.path) as text,
            pajson.open_json(text, read_options=read, parse_options=parse) as reader,
        ):
            yield reader
    except pa.ArrowInvalid as error:
        raise _named(error, source, schema) from error


def _written(dtype: pa.DataType) -> pa.DataType:
    # Arrow reads a date from a number of days; people write it as text.
    return pa.string() if pt.is_date(dtype) else dtype


def _typed(batch: pa.RecordBatch, want: Want, path: str) -> pa.RecordBatch:
    arrays = []
    for name in want.columns:
        field, array = want.schema.field(name), batch.column(name)
        try:
            arrays.append(array.cast(field.type) if pt.is_date(field.type) else array)
        except pa.ArrowInvalid as error:
            raise SchemaMismatchError(
                f"column {name!r} of {path}: {error}", hint="write dates as 2026-01-31, or give another type"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, names=list(want.columns))


def _is_empty(source: Source) -> bool:
    with source.storage.open_text(source.path) as text:
        while block := text.read(_BLOCK_BYTES):
            if block.strip():
                return False
    return True


def _check_depth(source: Source) -> None:
    # Arrow's parser works by recursion: what nests deep enough would end this whole process.
    depth = 0
    with source.storage.open_text(source.path) as text:
        for match in _BRACKETS.finditer(text.read(source.config.block_bytes)):
            bracket = match[0][:1]
            depth += (bracket in b"[{") - (bracket in b"]}")
            if depth > _DEEPEST:
                raise SchemaMismatchError(
                    f"{source.path} nests values more than {_DEEPEST} deep", hint="flatten it, or leave that field out"
                )


def _named(error: pa.ArrowInvalid, source: Source, schema: pa.Schema) -> SchemaMismatchError:
    message = str(error)
    if "unexpected field" in message and (name := _unplanned(source, schema)) is not None:
        return SchemaMismatchError(
            f"{source.path} has a field {name!r}, which was not planned", hint="name it and its type in `jsonl.types`"
        )
    return SchemaMismatchError(
        f"{source.path} is not valid JSON Lines of the planned types: {message}",
        hint="give types in `jsonl.types`; is no row longer than `block_bytes`?",
    )


def _unplanned(source: Source, schema: pa.Schema) -> str | None:
    with source.storage.open_text(source.path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as lines:
        for line in lines:
            try:
                row = json.loads(line) if line.strip() else {}
            except RecursionError:
                return None
            for name in row:
                if name not in schema.names:
                    return str(name)
    return None
