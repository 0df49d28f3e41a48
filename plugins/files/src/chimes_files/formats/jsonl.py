"""JSON Lines: fields that are declared or guessed from samples, rows in stripes.

Decimals, dates and timestamps are written as text (ISO 8601); times and durations as whole numbers of their unit.
Each block is parsed by Arrow, or value by value where Arrow refuses it or could change a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from chimes.errors import SchemaMismatchError

from chimes_files.batches import every_nth
from chimes_files.formats.format import STRIPE_ROWS, Source, Want
from chimes_files.formats.jsonblocks import Block, read_blocks
from chimes_files.formats.jsonexact import read_exactly, written_type
from chimes_files.formats.jsonfast import keeps_digits, parse
from chimes_files.formats.jsonguess import guess_fields
from chimes_files.guessing.forms import find_form, find_misfit, holds_numerals

__all__ = ["JsonlFormat"]


class JsonlFormat:
    """A field that a row lacks is null; a field that was not planned is an error."""

    label = "JSON Lines"
    has_units = False

    def schema(self, sources: Sequence[Source]) -> pa.Schema:
        """The declared fields, and those guessed from samples; only the former where `jsonl.streams` has the stream."""
        source = sources[0]
        types = source.config.types_of(source.stream, "jsonl")
        declared = {name: pa.field(name, dtype) for name, dtype in types.items() if name not in source.keys}
        named = [*source.config.jsonl.streams.get(source.stream, {}), *source.config.declared.get(source.stream, {})]
        found: list[pa.Field] = []
        if source.stream not in source.config.jsonl.streams:
            found = guess_fields(sources, frozenset(declared))
            named = named if found else list(declared)
        fields = {field.name: declared.get(field.name, field) for field in found}
        return pa.schema((fields | {name: declared[name] for name in named if name in declared}).values())

    def unit_rows(self, source: Source) -> None:
        """There are no units."""
        return

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """All rows, or those of some stripes."""
        declared = frozenset(source.config.types_of(source.stream, "jsonl"))
        start, stop, total = want.units or (0, 1, 1)
        batches = (_typed(block, _parsed(block, want.schema, declared), want) for block in read_blocks(source))
        yield from every_nth(batches, start=start, stop=stop, total=total, stripe=STRIPE_ROWS)


def _parsed(block: Block, schema: pa.Schema, declared: frozenset[str]) -> dict[str, pa.Array]:
    """All columns, in the types that they are written in."""
    fast = [field for field in schema if not _has_numerals(field)]
    written = pa.schema([(field.name, written_type(field.type)) for field in fast])
    try:
        batch = parse(block.text, written, "error" if len(fast) == len(schema) else "ignore")
    except pa.ArrowInvalid:
        return read_exactly(block, schema, declared, schema.names)
    if not keeps_digits(block.text, batch, [name for name in batch.schema.names if name not in declared]):
        return read_exactly(block, schema, declared, schema.names)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    slow = [name for name in schema.names if name not in columns]
    return columns | read_exactly(block, schema, declared, slow) if slow else columns


def _has_numerals(field: pa.Field) -> bool:
    if pt.is_struct(field.type):
        return any(map(_has_numerals, field.type.fields))
    return holds_numerals(field) or (pt.is_list(field.type) and _has_numerals(field.type.value_field))


def _typed(block: Block, columns: Mapping[str, pa.Array], want: Want) -> pa.RecordBatch:
    """The columns wanted, in their own types instead of those that they are written in."""
    arrays = []
    for name in want.columns:
        array, field = columns[name], want.schema.field(name)
        form = None if holds_numerals(field) else find_form(field)
        if form:
            arrays.append(_converted(block, name, array, form.read, f"{form.dtype}, which was guessed"))
        elif array.type != field.type:
            arrays.append(_converted(block, name, array, partial(pc.cast, target_type=field.type), str(field.type)))
        else:
            arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=list(want.columns))


def _converted(block: Block, name: str, array: pa.Array, convert: Callable[[pa.Array], pa.Array], to: str) -> pa.Array:
    try:
        return convert(array)
    except pa.ArrowInvalid as error:
        index = find_misfit(array, convert)
        line, _ = list(block.lines())[index]
        raise SchemaMismatchError(
            f"column {name!r} of {block.source.path}, line {line}: {array[index].as_py()!r} cannot be read as {to}",
            hint='declare its type, for example "string", in `schema`, or correct the file',
        ) from error
