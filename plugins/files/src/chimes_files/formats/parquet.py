"""Parquet: schema and row groups from the footer, row groups left out by their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from chimes_files.formats.format import Source, Want, unit_range
from chimes_files.schemas import check_schema

__all__ = ["ParquetFormat"]

_BUFFER_BYTES = 1 << 20


class ParquetFormat:
    """Rows are decoded batch by batch, so that a row group larger than memory can be read."""

    label = "Parquet"
    has_units = True

    def schema(self, source: Source) -> pa.Schema:
        """The Arrow schema in the footer."""
        with source.storage.open_file(source.path) as file:
            return pq.read_schema(file)

    def unit_rows(self, source: Source) -> Sequence[int]:
        """Rows of each row group."""
        with source.storage.open_file(source.path) as file:
            metadata = pq.read_metadata(file)
        return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """The rows of the row groups wanted, less those that statistics rule out."""
        with source.storage.open_file(source.path) as raw, pq.ParquetFile(raw, buffer_size=_BUFFER_BYTES) as file:
            check_schema(source.path, want.schema, file.schema_arrow)
            groups = unit_range(source.path, want.units, file.num_row_groups)
            for group in _pruned(source, want, groups):
                size = _batch_rows(file.metadata.row_group(group), want)
                yield from file.iter_batches(batch_size=size, row_groups=[group], columns=list(want.columns))


def _pruned(source: Source, want: Want, groups: range) -> Sequence[int]:
    if want.prune is None or not groups:
        return groups
    fragment = ds.ParquetFileFormat().make_fragment(source.path, source.storage.filesystem, row_groups=groups)
    return [group.id for group in fragment.subset(filter=want.prune, schema=want.schema).row_groups]


def _batch_rows(group: pq.RowGroupMetaData, want: Want) -> int:
    """So many rows that a batch has about the bytes asked for, before it is cut to measure."""
    row_bytes: int = max(1, group.total_byte_size // max(1, group.num_rows))
    return max(1, min(want.batch_rows, want.batch_bytes // row_bytes))
