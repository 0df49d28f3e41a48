"""Guesses the fields of JSON Lines from samples: Arrow's types, except those that would change a value.

A number of which float64 or int64 would lose digits makes its field a string that holds the digits. A text is a
date or a timestamp only where one form gives all texts of the column back; a nested text stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from chimes.errors import ChimesError, SchemaMismatchError

from chimes_files.formats.format import Source, choose_samples
from chimes_files.formats.jsonblocks import Block, read_blocks
from chimes_files.formats.jsonexact import Numeral, json_text, parse_rows
from chimes_files.formats.jsonfast import keeps_digits, parse
from chimes_files.guessing.candidates import guess_time
from chimes_files.guessing.forms import holds_numerals, numeral_field, with_form
from chimes_files.guessing.numerals import is_exact

__all__ = ["guess_fields"]

_ROW = re.compile(r" in row ([0-9]+)")
_LARGE_EXPONENT = re.compile(r"[eE]\+?[0-9]{3}")
_ITEM = "[]"
Path = tuple[str, ...]


def guess_fields(sources: Sequence[Source], declared: frozenset[str]) -> list[pa.Field]:
    """The fields that samples of the files have, in the order in which they are found.

    Fields in ``declared`` may hold any values and have the type null here. Raises SchemaMismatchError for invalid
    JSON, and for a field that holds values of several kinds.
    """
    blocks = _samples(sources)
    if not blocks:
        return []
    text, batch, names = _infer(blocks, declared)
    guessed = [name for name in names if name not in declared]
    lossy = set[Path]()
    if not keeps_digits(text, batch, guessed):
        for row in _rows(blocks):
            for name in guessed:
                _find_lossy(row.get(name), batch.schema.field(name).type, (name,), lossy)
    fields = {name: _exact_field(batch.schema.field(name), (name,), lossy) for name in guessed}
    for name, field in fields.items():
        if pt.is_string(field.type) and not holds_numerals(field):
            fields[name] = _with_time(field, text)
    return [fields.get(name, pa.field(name, pa.null())) for name in names]


def _samples(sources: Sequence[Source]) -> list[Block]:
    """Lines of some files. An error in any but the first file is left to the read, which names it."""
    chosen, size_bytes = choose_samples(sources)
    blocks = _sample(chosen[0], size_bytes)
    for source in chosen[1:]:
        with suppress(ChimesError, pa.ArrowException, OSError, ValueError):
            blocks += _sample(source, size_bytes)
    return blocks


def _sample(source: Source, size_bytes: int) -> list[Block]:
    blocks: list[Block] = []
    for block in read_blocks(source):
        blocks.append(block)
        size_bytes -= len(block.text)
        if size_bytes <= 0:
            break
    return blocks


def _rows(blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    return (row for block in blocks for _, row in parse_rows(block))


def _infer(blocks: Sequence[Block], declared: frozenset[str]) -> tuple[bytes, pa.RecordBatch, list[str]]:
    """The text that Arrow parsed, its rows, and the names of all fields, declared ones included."""
    text = b"\n".join(block.text for block in blocks)
    with suppress(pa.ArrowInvalid):
        batch = parse(text, None, "infer")
        return text, batch, batch.schema.names
    # Arrow refuses a number that no float64 holds, and a declared field may hold values of several kinds.
    names: dict[str, None] = {}
    lines = []
    for row in _rows(blocks):
        names |= dict.fromkeys(row)
        lines.append(json_text({name: _moderate(value) for name, value in row.items() if name not in declared}))
    text = "\n".join(lines).encode()
    try:
        return text, parse(text, None, "infer"), list(names)
    except pa.ArrowInvalid as error:
        raise _named(error, blocks) from error


def _moderate(node: Any) -> Any:
    """The same value with another number in place of one with an exponent that Arrow's parser may refuse."""
    match node:
        case Numeral() if _LARGE_EXPONENT.search(node):
            return Numeral("1e300")
        case dict():
            return {name: _moderate(value) for name, value in node.items()}
        case list():
            return list(map(_moderate, node))
    return node


def _named(error: pa.ArrowInvalid, blocks: Sequence[Block]) -> SchemaMismatchError:
    """The error with the file and line of the row that Arrow counted."""
    match = _ROW.search(str(error))
    places = (f"line {number} of {block.source.path}" for block in blocks for number, _ in block.lines())
    place = next(islice(places, int(match[1]), None), None) if match else None
    return SchemaMismatchError(
        f"{place or blocks[0].source.path} is not valid JSON Lines: {_ROW.sub('', str(error))}",
        hint="correct the file, or declare the type of a field with values of several kinds in `schema`",
    )


def _find_lossy(node: Any, dtype: pa.DataType, path: Path, found: set[Path]) -> None:
    """Add to ``found`` the paths of the numbers that do not come back from the type that Arrow gave them."""
    if isinstance(node, Numeral):
        if (pt.is_floating(dtype) and not is_exact(node)) or (pt.is_integer(dtype) and node == "-0"):
            found.add(path)
    elif isinstance(node, dict) and pt.is_struct(dtype):
        for field in dtype.fields:
            _find_lossy(node.get(field.name), field.type, (*path, field.name), found)
    elif isinstance(node, list) and pt.is_list(dtype):
        for item in node:
            _find_lossy(item, dtype.value_type, (*path, _ITEM), found)


def _exact_field(field: pa.Field, path: Path, lossy: set[Path]) -> pa.Field:
    """``field`` with strings in place of the types that change a value."""
    if path in lossy:
        return numeral_field(field)
    dtype = field.type
    if pt.is_timestamp(dtype):
        return field.with_type(pa.string())
    if pt.is_struct(dtype):
        return field.with_type(pa.struct([_exact_field(child, (*path, child.name), lossy) for child in dtype.fields]))
    if pt.is_list(dtype):
        return field.with_type(pa.list_(_exact_field(dtype.value_field, (*path, _ITEM), lossy)))
    return field


def _with_time(field: pa.Field, text: bytes) -> pa.Field:
    """``field`` as a date or timestamp where all its texts are written as one."""
    texts = parse(text, pa.schema([field]), "ignore").column(0)
    form = guess_time(pa.chunked_array([texts]))
    return with_form(field, form) if form else field
