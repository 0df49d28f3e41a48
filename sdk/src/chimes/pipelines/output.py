"""Writes record batches to one file that appears whole or not at all; the suffix says the format."""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import hashlib
import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, TypeVar

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from chimes.errors import ConfigError, InfrastructureError, SchemaMismatchError
from chimes.files import replace_file
from chimes.kinds.component import Value

__all__ = ["SUFFIXES", "OutputFile", "OutputReport", "check_format", "partial_path"]


T = TypeVar("T")


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


class _JsonLines:
    """A JSON object per row: times as ISO text, decimals as text, binary as base64, NaN and infinities as null."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write_batch(self, batch: pa.RecordBatch) -> None:
        for row in batch.to_pylist():
            line = json.dumps(_plain(row), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            self._stream.write(line.encode("utf-8") + b"\n")

    def close(self) -> None:
        self._stream.flush()


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime.timedelta():
            return value.total_seconds()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal():
            return str(value)
    return str(value)


_FORMATS: dict[str, Callable[[IO[bytes], pa.Schema], _Writer]] = {
    ".parquet": pa.parquet.ParquetWriter,
    ".arrow": pa.ipc.new_file,
    ".csv": pa.csv.CSVWriter,
    ".jsonl": lambda stream, _: _JsonLines(stream),
}
SUFFIXES = tuple(_FORMATS)


class OutputReport(Value):
    """The file that was written: rows, bytes and sha256 (hex)."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


def check_format(path: Path, schema: pa.Schema) -> None:
    """Raise ConfigError for an unknown suffix, SchemaMismatchError for a column that the format cannot hold."""
    if path.suffix not in _FORMATS:
        raise ConfigError(
            f"output {path.name!r} has no known suffix", hint=f"end its name with one of {', '.join(SUFFIXES)}"
        )
    for field in schema:
        one = pa.schema([field])
        try:
            writer = _FORMATS[path.suffix](io.BytesIO(), one)
            writer.write_batch(pa.RecordBatch.from_arrays([pa.array([], field.type)], schema=one))
            writer.close()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaMismatchError(
                f"a {path.suffix} file cannot hold column {field.name!r} of type {field.type}",
                hint="write .parquet, .arrow or .jsonl",
            ) from error


def partial_path(path: Path, run_id: str) -> Path:
    """Where a run writes before it renames: beside the output, hidden, of this run alone."""
    return path.with_name(f".{path.name}.{run_id}.partial")


class OutputFile:
    """A file under construction; ``commit`` gives it its name, leaving without that removes it.

    Every failure of the disk is an InfrastructureError.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, run_id: str) -> None:
        self.path = path
        self.rows = 0
        self._partial = partial_path(path, run_id)
        self._schema = schema
        self._done = False

    def __enter__(self) -> Self:
        self._stream: IO[bytes] = self._guarded(lambda: self._partial.open("wb"))
        self._writer: _Writer = self._guarded(lambda: _FORMATS[self.path.suffix](self._stream, self._schema))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done:
            return
        # The writer first: it may still want its stream.
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._stream.close()
        self._partial.unlink(missing_ok=True)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self._guarded(lambda: self._writer.write_batch(batch))
        self.rows += batch.num_rows

    def commit(self) -> OutputReport:
        """Finish the file, bring it to the disk and rename it over whatever has its name."""
        return self._guarded(self._commit)

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

    def _guarded(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except (OSError, pa.ArrowException) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InfrastructureError(
                f"{self.path} cannot be written: {why}",
                hint="see to space and permissions of its folder, then run again",
            ) from error
