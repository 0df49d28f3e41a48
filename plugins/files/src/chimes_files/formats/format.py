"""The interface of a file format, and the values that are passed to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from chimes.errors import InvalidStateError

from chimes_files.config import FilesConfig
from chimes_files.storage import Storage

__all__ = ["STRIPE_ROWS", "Format", "Source", "Want", "choose_samples", "unit_range"]

STRIPE_ROWS = 32
"""How many consecutive rows of a text file belong to one part before the next part gets as many."""

_MOST_SAMPLES = 16
Units = tuple[int, int, int]


@dataclass(frozen=True)
class Source:
    """One file of the stream called ``stream``; ``keys`` are the columns that its folders' names give."""

    storage: Storage
    config: FilesConfig
    path: str
    stream: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Want:
    """The ``columns`` (at least one) and ``units`` to read of a file that should have ``schema``.

    Fields with guessed types have their form in their metadata. ``prune`` is true of every row wanted and safe to
    decide by statistics; a format may use it to leave rows out.
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

    def schema(self, sources: Sequence[Source]) -> pa.Schema:
        """The columns of a stream: from the metadata of its first file, or guessed from samples of text.

        A guessed field has its form in its metadata.
        """

    def unit_rows(self, source: Source) -> Sequence[int] | None:
        """Rows of each unit, from metadata alone; None where the format has no units."""

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """Batches with at least the columns wanted. Raises SchemaMismatchError unless the file has the schema."""


def choose_samples(sources: Sequence[Source]) -> tuple[Sequence[Source], int]:
    """The files to examine for types, the first one included and evenly spaced, and how many bytes of each."""
    count = min(len(sources), _MOST_SAMPLES)
    chosen = [sources[number * (len(sources) - 1) // max(1, count - 1)] for number in range(count)]
    return chosen, max(1, sources[0].config.guess_bytes // count)


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
