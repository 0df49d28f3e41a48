"""Cuts batches to a size, and picks stripes of rows from a stream of batches."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

__all__ = ["cut_batch", "every_nth"]


def cut_batch(batch: pa.RecordBatch, *, rows: int, size_bytes: int) -> Iterator[pa.RecordBatch]:
    """Slices of at most ``rows`` rows and ``size_bytes`` bytes; a single row may have more bytes."""
    for start in range(0, batch.num_rows, rows):
        yield from _halve(batch.slice(start, rows), size_bytes)


def _halve(batch: pa.RecordBatch, size_bytes: int) -> Iterator[pa.RecordBatch]:
    # The size of a dictionary is not counted: every slice refers to all of it.
    size = batch.nbytes - batch.slice(0, 0).nbytes
    if batch.num_rows == 1 or size <= size_bytes:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _halve(batch.slice(0, half), size_bytes)
    yield from _halve(batch.slice(half), size_bytes)


def every_nth(
    batches: Iterator[pa.RecordBatch], *, start: int, stop: int, total: int, stripe: int
) -> Iterator[pa.RecordBatch]:
    """The stripes [start, stop) of consecutive stripes of ``stripe`` rows, numbered 0 to ``total`` - 1 repeatedly."""
    row = 0
    for batch in batches:
        kept, place = [], 0
        while place < batch.num_rows:
            number, offset = divmod(row + place, stripe)
            length = min(stripe - offset, batch.num_rows - place)
            if start <= number % total < stop:
                kept.append(batch.slice(place, length))
            place += length
        row += batch.num_rows
        if kept:
            yield pa.concat_batches(kept)
