"""Writes record batches to one file atomically; the suffix chooses the format."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

import pyarrow as pa

from chimes.errors import ConfigError, InfrastructureError, SchemaMismatchError
from chimes.files import replace_file
from chimes.kinds.component import Value
from chimes.pipelines.formats import FORMATS, Format, Writer

__all__ = ["SUFFIXES", "OutputFile", "OutputReport", "check_format", "partial_path"]

T = TypeVar("T")
SUFFIXES = tuple(FORMATS)


class OutputReport(Value):
    """The file that was written: rows, bytes and sha256 (hex)."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


def check_format(path: Path, schema: pa.Schema) -> None:
    """Raise ConfigError for an unknown suffix, SchemaMismatchError for a column that the format cannot hold."""
    if path.suffix not in FORMATS:
        raise ConfigError(
            f"output {path.name!r} has no known suffix", hint=f"end its name with one of {', '.join(SUFFIXES)}"
        )
    for name, times in Counter(schema.names).items():
        if times > 1:
            raise SchemaMismatchError(
                f"the output has {times} columns named {name!r}",
                hint="report it to the author of the model: its outputs need names of their own",
            )
    for field in schema:
        if not FORMATS[path.suffix].holds(field.type):
            raise SchemaMismatchError(
                f"a {path.suffix} file cannot hold column {field.name!r} of type {field.type}",
                hint=_other_suffixes(schema),
            )


def _other_suffixes(schema: pa.Schema) -> str:
    fit = [suffix for suffix, kind in FORMATS.items() if all(map(kind.holds, schema.types))]
    if fit:
        return f"end the output's name with {' or '.join(fit)}"
    return "no format holds all columns: keep fewer, or change the type in the source"


def partial_path(path: Path, run_id: str) -> Path:
    """Where a run writes before it renames: beside the output, hidden, of this run alone."""
    return path.with_name(f".{path.name}.{run_id}.partial")


class OutputFile:
    """A file that is being written; ``commit`` gives it its name, without a commit it is removed.

    Raises InfrastructureError for a failure of the disk, SchemaMismatchError for a value that the format cannot hold.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, run_id: str) -> None:
        self.path = path
        self.rows = 0
        self._partial = partial_path(path, run_id)
        self._format: Format = FORMATS[path.suffix]
        self._schema = schema
        types = [self._format.held_type(dtype) for dtype in schema.types]
        fields = [field.with_type(dtype) for field, dtype in zip(schema, types, strict=True)]
        self._written = pa.schema(fields, metadata=schema.metadata)
        self._done = False

    def __enter__(self) -> Self:
        self._stream: IO[bytes] = self._on_disk(lambda: self._partial.open("wb"))
        self._writer: Writer = self._on_disk(lambda: self._format.open(self._stream, self._written))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done:
            return
        # The writer is closed first: that may write to the stream.
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._stream.close()
        self._partial.unlink(missing_ok=True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        columns = [
            self._holding(field, partial(self._format.convert, column, dtype))
            for field, column, dtype in zip(self._schema, batch.columns, self._written.types, strict=True)
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=self._written)
        self._check_blank_lines(rows)
        try:
            self._on_disk(lambda: self._writer.write_batch(rows))
        except (pa.ArrowException, ValueError):
            # To find the column, each is written alone, to memory.
            for field, column in zip(self._schema, columns, strict=True):
                self._holding(field, partial(self._format.write_alone, column))
            raise
        self.rows += batch.num_rows

    def commit(self) -> OutputReport:
        """Finish the file, force it to the disk and rename it over an older one."""
        return self._on_disk(self._commit)

    def _commit(self) -> OutputReport:
        self._writer.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        with self._partial.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = os.fstat(stream.fileno()).st_size
        replace_file(self._partial, self.path)
        self._done = True
        return OutputReport(path=str(self.path), rows=self.rows, size_bytes=size, sha256=digest)

    def _check_blank_lines(self, rows: pa.RecordBatch) -> None:
        if self.path.suffix == ".csv" and rows.num_columns == 1 and rows.column(0).null_count:
            raise SchemaMismatchError(
                f"column {self._schema.names[0]!r} is the only one of {self.path.name} and holds nulls:"
                " these would be blank lines, which readers skip",
                hint="keep another column beside it under [model], or write .parquet, .arrow or .jsonl",
            )

    def _holding(self, field: pa.Field, step: Callable[[], T]) -> T:
        try:
            return step()
        except (pa.ArrowException, OSError, ValueError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise SchemaMismatchError(
                f"column {field.name!r} of type {field.type} holds a value that {self.path.name} cannot hold: {why}",
                hint="write another suffix, or change the value in the source",
            ) from error

    def _on_disk(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except OSError as error:
            if error.errno is None:
                # Arrow's own: it has failed before it reached the disk.
                raise pa.ArrowInvalid(str(error)) from error
            raise InfrastructureError(
                f"{self.path} cannot be written: {error.strerror or error}",
                hint="free space or correct the permissions of its folder, then run again",
            ) from error
