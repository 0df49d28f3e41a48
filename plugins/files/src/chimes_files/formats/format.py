"""What every format can do, and the values that it is asked with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from chimes.errors import InvalidStateError

from chimes_files.config import FilesConfig
from chimes_files.storage import Storage

__all__ = ["STRIPE_ROWS", "Format", "Source", "Want", "unit_range"]

STRIPE_ROWS = 32
"""How many rows of a text file go to one part before the next part has its turn."""

Units = tuple[int, int, int]


@dataclass(frozen=True)
class Source:
    """One file to be read, of the stream that is called ``stream``."""

    storage: Storage
    config: FilesConfig
    path: str
    stream: str


@dataclass(frozen=True)
class Want:
    """What is wanted of a file that should have ``schema``: ``columns`` (at least one), and which ``units``.

    ``prune`` is true of every row wanted and safe to decide by statistics; a format may use it to leave rows out.
    """

    schema: pa.Schema
    columns: tuple[str, ...]
    units: Units | None = None
    prune: pc.Expression | None = None
    batch_rows: int = 65_536
    batch_bytes: int = 64 << 20


class Format(Protocol):
    """A file format. Errors of the reader may be raised as they are: the caller names the file."""

    label: str
    has_units: bool

    def schema(self, source: Source) -> pa.Schema:
        """The columns of a file, from its metadata; of text, from its first block."""

    def unit_rows(self, source: Source) -> Sequence[int] | None:
        """Rows of each unit, from metadata alone; None where the format has no units."""

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """Batches with at least the columns wanted. Raises SchemaMismatchError unless the file has the schema."""


def unit_range(path: str, units: Units | None, total: int) -> range:
    """The units to read of a file that has ``total``. Raises InvalidStateError if the plan counted others."""
    if units is None:
        return range(total)
    start, stop, planned = units
    if planned != total:
        raise InvalidStateError(
            f"{path} was planned with {planned} parts and now has {total}",
            hint="the file was written again: plan again",
        )
    return range(start, stop)
