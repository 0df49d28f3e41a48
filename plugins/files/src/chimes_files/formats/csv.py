"""CSV: the header row, types that are declared or guessed from samples, rows in stripes.

A column with a guessed type is read as text and converted by its form, so that no value is changed. A column with
a declared type is converted by Arrow.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from chimes.errors import ChimesError, SchemaMismatchError

from chimes_files.batches import every_nth
from chimes_files.config import CsvOptions
from chimes_files.formats.format import STRIPE_ROWS, Source, Want, choose_samples
from chimes_files.guessing.candidates import guess_form
from chimes_files.guessing.forms import Form, find_form, find_misfit, with_form
from chimes_files.schemas import check_columns

__all__ = ["CsvFormat"]

_COLUMN = re.compile(r"In CSV column #(\d+): (.*)", re.DOTALL)
_VALUE = re.compile(r"invalid value '(.*)'", re.DOTALL)
_HINT = 'declare its type, for example "string", in `schema`, or correct the file'


class CsvFormat:
    """An unquoted empty value is null, a quoted one is the empty text."""

    label = "CSV"
    has_units = False

    def schema(self, sources: Sequence[Source]) -> pa.Schema:
        """The columns of the first file's header row, with declared types or types guessed from samples."""
        source = sources[0]
        names, _ = _header(source)
        check_columns(source.path, names, names)
        declared = source.config.types_of(source.stream, "csv")
        guessed = [name for name in names if name not in declared] if source.config.csv.infer else []
        texts = _samples(sources, guessed) if guessed else pa.table({})
        fields = {name: _guess(name, texts.column(number)) for number, name in enumerate(guessed)}
        return pa.schema([fields.get(name) or pa.field(name, declared.get(name, pa.string())) for name in names])

    def unit_rows(self, source: Source) -> None:
        """There are no units."""
        return

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """All rows, or those of some stripes."""
        names, has_rows = _header(source)
        check_columns(source.path, want.schema.names, names)
        if not has_rows:
            return
        forms = {name: find_form(want.schema.field(name)) for name in want.columns}
        types = {name: pa.string() if form else want.schema.field(name).type for name, form in forms.items()}
        start, stop, total = want.units or (0, 1, 1)
        with _open(source, types, names, want.columns) as reader:
            for batch in every_nth(iter(reader), start=start, stop=stop, total=total, stripe=STRIPE_ROWS):
                columns = [
                    _converted(source, name, batch.column(name), form) if form else batch.column(name)
                    for name, form in forms.items()
                ]
                yield pa.RecordBatch.from_arrays(columns, names=list(forms))


def _samples(sources: Sequence[Source], columns: list[str]) -> pa.Table:
    """Rows of some files as bytes. An error in any but the first file is left to the read, which names it."""
    chosen, size_bytes = choose_samples(sources)
    batches = _sample(chosen[0], columns, size_bytes)
    for source in chosen[1:]:
        with suppress(ChimesError, pa.ArrowException, OSError, ValueError):
            batches += _sample(source, columns, size_bytes)
    return pa.Table.from_batches(batches, pa.schema([(name, pa.binary()) for name in columns]))


def _sample(source: Source, columns: list[str], size_bytes: int) -> list[pa.RecordBatch]:
    names, has_rows = _header(source)
    if not has_rows or not set(columns) <= set(names):
        return []
    batches: list[pa.RecordBatch] = []
    with _open(source, dict.fromkeys(columns, pa.binary()), names, tuple(columns)) as reader:
        for batch in reader:
            batches.append(batch)
            size_bytes -= batch.nbytes
            if size_bytes <= 0:
                break
    return batches


def _guess(name: str, column: pa.ChunkedArray) -> pa.Field:
    try:
        texts = column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.field(name, pa.binary())
    form = guess_form(texts)
    return with_form(pa.field(name, pa.string()), form) if form else pa.field(name, pa.string())


def _converted(source: Source, name: str, texts: pa.Array, form: Form) -> pa.Array:
    try:
        return form.read(texts)
    except pa.ArrowInvalid as error:
        value = texts[find_misfit(texts, form.read)].as_py()
        raise SchemaMismatchError(
            f"column {name!r} of {source.path}{_row(source, name, value)}: {value!r} cannot be read as {form.dtype} "
            f"without changing it; that type was guessed from the first rows",
            hint=_HINT,
        ) from error


def _row(source: Source, column: str, value: str) -> str:
    """Where ``value`` is first found in ``column``, for a message; empty if that cannot be told."""
    rows = 0
    with suppress(ChimesError, pa.ArrowException):
        names, _ = _header(source)
        with _open(source, {column: pa.string()}, names, (column,)) as reader:
            for batch in reader:
                index = pc.index(batch.column(0), value).as_py()
                if index >= 0:
                    return f", row {rows + index + 1}"
                rows += batch.num_rows
    return ""


def _header(source: Source) -> tuple[tuple[str, ...], bool]:
    """The names of the columns, and whether anything follows the header row."""
    options = source.config.csv
    encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
    with (
        source.storage.open_text(source.path) as raw,
        # Arrow reports invalid bytes with their column; an error here would name the header.
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
            hint = "correct `csv.delimiter` or `csv.quote`, or the file"
            raise SchemaMismatchError(f"{source.path} has an invalid header row: {error}", hint=hint) from error
        if not names:
            raise SchemaMismatchError(f"{source.path} has no header row", hint="add one, or set `csv.names`")
        return names, bool(text.read(1))


@contextmanager
def _open(
    source: Source, types: dict[str, pa.DataType], names: tuple[str, ...], columns: tuple[str, ...]
) -> Iterator[pa.RecordBatchReader]:
    options = source.config.csv
    convert = pacsv.ConvertOptions(
        column_types=types,
        include_columns=list(columns),
        null_values=list(options.null_values),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    read = pacsv.ReadOptions(
        block_size=source.config.block_bytes,
        encoding="utf8" if options.encoding == "utf-8" else options.encoding,
        column_names=options.names,
    )
    parse = _parse_options(options, has_one_column=len(names) == 1)
    try:
        with (
            source.storage.open_text(source.path) as text,
            pacsv.open_csv(text, read_options=read, parse_options=parse, convert_options=convert) as reader,
        ):
            yield reader
    except pa.ArrowInvalid as error:
        raise _named(error, source, names) from error


def _parse_options(options: CsvOptions, *, has_one_column: bool) -> pacsv.ParseOptions:
    return pacsv.ParseOptions(
        delimiter=options.delimiter,
        quote_char=options.quote or False,
        double_quote=options.quote is not None,
        escape_char=options.escape or False,
        newlines_in_values=True,
        # In a file of one column an empty line is a null.
        ignore_empty_lines=not has_one_column,
    )


def _named(error: pa.ArrowInvalid, source: Source, names: tuple[str, ...]) -> SchemaMismatchError:
    match = _COLUMN.search(str(error))
    if match is None or int(match[1]) >= len(names):
        return SchemaMismatchError(
            f"{source.path} is not valid CSV: {error}",
            hint="correct `csv.delimiter`, raise `block_bytes` above the longest row, or correct the file",
        )
    name, reason = names[int(match[1])], match[2].strip()
    value = _VALUE.search(reason)
    row = _row(source, name, value[1]) if value else ""
    return SchemaMismatchError(f"column {name!r} of {source.path}{row}: {reason}", hint=_HINT)
