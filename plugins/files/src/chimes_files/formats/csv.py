"""CSV: the header row, types as configured or guessed, rows in stripes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.csv as pacsv
from chimes.errors import SchemaMismatchError

from chimes_files.batches import every_nth
from chimes_files.formats.format import STRIPE_ROWS, Source, Want
from chimes_files.schemas import check_columns
from chimes_files.types import parse_type

__all__ = ["CsvFormat"]

_COLUMN = re.compile(r"In CSV column #(\d+): (.*)", re.DOTALL)


class CsvFormat:
    """An unquoted empty value is null, a quoted one is the empty text."""

    label = "CSV"
    has_units = False

    def schema(self, source: Source) -> pa.Schema:
        """The columns of the header row, with configured types, or those guessed from the first block."""
        options = source.config.csv
        names, has_rows = _header(source)
        check_columns(source.path, names, names)
        specs = {**options.types, **options.streams.get(source.stream, {})}
        given = {name: parse_type(specs[name]) for name in names if name in specs}
        if not options.infer or len(given) == len(names) or not has_rows:
            return pa.schema([(name, given.get(name, pa.string())) for name in names])
        with _open(source, given, names) as reader:
            return reader.schema

    def unit_rows(self, source: Source) -> None:
        """There are no units."""
        return

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """All rows, or those of some stripes."""
        names, has_rows = _header(source)
        check_columns(source.path, want.schema.names, names)
        if not has_rows:
            return
        types = {name: want.schema.field(name).type for name in want.columns}
        start, stop, total = want.units or (0, 1, 1)
        with _open(source, types, names, want.columns) as reader:
            yield from every_nth(iter(reader), start=start, stop=stop, total=total, stripe=STRIPE_ROWS)


def _header(source: Source) -> tuple[tuple[str, ...], bool]:
    """The names of the columns, and whether anything follows the header row."""
    options = source.config.csv
    encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
    with (
        source.storage.open_text(source.path) as raw,
        # Bad bytes are left for Arrow to find: here they would be blamed on the header.
        io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape", newline="") as text,
    ):
        rows = csv.reader(
            text,
            delimiter=options.delimiter,
            quotechar=options.quote,
            quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
            escapechar=options.escape,
        )
        try:
            names = options.names or tuple(next(rows, ()))
        except csv.Error as error:
            hint = "is the delimiter as said, and the file CSV?"
            raise SchemaMismatchError(f"{source.path} has a bad header row: {error}", hint=hint) from error
        if not names:
            raise SchemaMismatchError(f"{source.path} has no header row", hint="write one, or set `csv.names`")
        return names, bool(text.read(1))


@contextmanager
def _open(
    source: Source, types: dict[str, pa.DataType], names: tuple[str, ...], columns: tuple[str, ...] = ()
) -> Iterator[pa.RecordBatchReader]:
    options = source.config.csv
    read = pacsv.ReadOptions(
        block_size=source.config.block_bytes,
        encoding="utf8" if options.encoding == "utf-8" else options.encoding,
        column_names=options.names,
    )
    parse = pacsv.ParseOptions(
        delimiter=options.delimiter,
        quote_char=options.quote or False,
        double_quote=options.quote is not None,
        escape_char=options.escape or False,
        newlines_in_values=True,
        # An empty line is a row with one null where there is one column; else it is nothing.
        ignore_empty_lines=len(names) > 1,
    )
    convert = pacsv.ConvertOptions(
        column_types=types,
        include_columns=list(columns),
        null_values=list(options.null_values),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        with (
            source.storage.open_text(source.path) as text,
            pacsv.open_csv(text, read_options=read, parse_options=parse, convert_options=convert) as reader,
        ):
            yield reader
    except pa.ArrowInvalid as error:
        raise _named(error, source.path, names) from error


def _named(error: pa.ArrowInvalid, path: str, names: tuple[str, ...]) -> SchemaMismatchError:
    match = _COLUMN.search(str(error))
    if match and int(match[1]) < len(names):
        message = f"column {names[int(match[1])]!r} of {path}: {match[2].strip()}"
        return SchemaMismatchError(message, hint="give its type in `csv.types`, or mend the file")
    return SchemaMismatchError(
        f"{path} is not valid CSV: {error}", hint="is the delimiter as said, and no row longer than `block_bytes`?"
    )
