"""Cuts a stream of record batches into the sizes that a model takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from chimes.kinds.model import BatchLimits

__all__ = ["pad", "rebatch", "target_rows"]


def target_rows(limits: BatchLimits) -> int:
    """How many rows a full batch has: the preferred number, between the least and the most."""
    wanted = max(limits.preferred_rows, limits.min_rows)
    return wanted if limits.max_rows is None else min(wanted, limits.max_rows)


def rebatch(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly ``rows``, the last one shorter; none is empty.

    A batch is copied only where it is joined from several.
    """
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, rows - count)
            held.append(part)
            start += part.num_rows
            count += part.num_rows
            if count == rows:
                yield _join(held)
                held, count = [], 0
    if held:
        yield _join(held)


def pad(batch: pa.RecordBatch, rows: int) -> pa.RecordBatch:
    """The batch, made at least ``rows`` long by its last row again; the host drops the surplus of the answer."""
    short = rows - batch.num_rows
    if short <= 0 or batch.num_rows == 0:
        return batch
    # Joined from slices: Arrow has no take for views and run ends.
    return pa.concat_batches([batch, *[batch.slice(batch.num_rows - 1)] * short])


def _join(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
