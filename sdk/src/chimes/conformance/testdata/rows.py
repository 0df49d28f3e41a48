"""Splits, reorders, joins and compares the rows of record batches."""

from __future__ import annotations

import pyarrow as pa

from chimes.conformance.testdata.compare import close_values
from chimes.kinds.model import BatchLimits, Signature
from chimes.kinds.schema import empty_batch

__all__ = ["agree", "changed_columns", "cuts", "joined", "take"]

LOOSEST = 0.05
"""The widest tolerance that a signature may ask for."""


def cuts(rows: int, limits: BatchLimits) -> list[int]:
    """Sizes of batches with ``rows`` rows in total: four of one row and two large ones, else two, else one."""
    for sizes in ([1, 1, 1, 1, rows // 3, rows - rows // 3 - 4], [rows // 2, rows - rows // 2]):
        if min(sizes) >= max(1, limits.min_rows):
            return sizes
    return [rows]


def joined(pieces: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """The pieces as one batch; those of another schema are left out."""
    same = [piece for piece in pieces if piece.schema.equals(schema)]
    table = pa.Table.from_batches(same, schema=schema).combine_chunks()
    return next(iter(table.to_batches()), empty_batch(schema))


def changed_columns(before: pa.RecordBatch, after: pa.RecordBatch) -> list[str]:
    """The names of the columns whose values changed; all columns (or ``none``) if the schema changed."""
    if not after.schema.equals(before.schema):
        return list(before.schema.names) or ["none"]
    columns = zip(before.schema.names, before.columns, after.columns, strict=True)
    return [name for name, a, b in columns if not close_values(_single(a), _single(b), rtol=0, atol=0)]


def _single(column: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([column], names=["value"])


def take(batch: pa.RecordBatch, order: list[int]) -> pa.RecordBatch:
    """The rows of ``batch`` in another order, the schema unchanged. Indices past the end are left out."""
    rows = [row for row in order if row < batch.num_rows]
    return pa.RecordBatch.from_arrays([_taken(column, rows) for column in batch.columns], schema=batch.schema)


def _taken(column: pa.Array, rows: list[int]) -> pa.Array:
    try:
        return column.take(pa.array(rows, pa.int64()))
    except pa.ArrowNotImplementedError:
        # pyarrow cannot take from views and run-end encoded arrays.
        return pa.concat_arrays([column.slice(0, 0), *(column.slice(row, 1) for row in rows)])


def agree(left: pa.RecordBatch, right: pa.RecordBatch, signature: Signature) -> bool:
    """Whether two outputs are equal within the tolerance of the signature."""
    match signature.determinism:
        case "bitwise":
            return close_values(left, right, rtol=0, atol=0)
        case "tolerance":
            return close_values(left, right, rtol=min(signature.rtol, LOOSEST), atol=min(signature.atol, LOOSEST))
        case "stochastic":
            return bool(left.num_rows == right.num_rows)
