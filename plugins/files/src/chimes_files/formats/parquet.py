"""Parquet: schema and row groups from the footer, row groups left out by their statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from chimes_files.formats.format import Source, Want, unit_range
from chimes_files.formats.int96 import check_int96, has_int96
from chimes_files.schemas import check_schema

__all__ = ["ParquetFormat"]

_BUFFER_BYTES = 1 << 20


class ParquetFormat:
    """Rows are decoded batch by batch, so that a row group larger than memory can be read."""

    label = "Parquet"
    has_units = True

    def schema(self, sources: Sequence[Source]) -> pa.Schema:
        """The Arrow schema in the first file's footer."""
        source = sources[0]
        with source.storage.open_file(source.path) as raw, _opened(raw, source.config.int96) as file:
            return file.schema_arrow

    def unit_rows(self, source: Source) -> Sequence[int]:
        """Rows of each row group."""
        with source.storage.open_file(source.path) as file:
            metadata = pq.read_metadata(file)
        return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """The rows of the row groups wanted, less those that statistics rule out."""
        unit = source.config.int96
        with source.storage.open_file(source.path) as raw, _opened(raw, unit) as file:
            check_schema(source.path, want.schema, file.schema_arrow)
            other = _opened(raw, "ns" if unit == "us" else "us") if has_int96(file) else None
            groups = unit_range(source.path, want.units, file.num_row_groups)
            for group in _pruned(source, want, groups):
                size = _batch_rows(file.metadata.row_group(group), want)
                if other:
                    check_int96(source.path, (file, other), group, size, want.columns)
                yield from file.iter_batches(batch_size=size, row_groups=[group], columns=list(want.columns))


def _opened(raw: Any, unit: str) -> pq.ParquetFile:
    return pq.ParquetFile(raw, buffer_size=_BUFFER_BYTES, coerce_int96_timestamp_unit=unit)


def _pruned(source: Source, want: Want, groups: range) -> Sequence[int]:
    if want.prune is None or not groups:
        return groups
    options = ds.ParquetReadOptions(coerce_int96_timestamp_unit=source.config.int96)
    stored = ds.ParquetFileFormat(read_options=options)
    fragment = stored.make_fragment(source.path, source.storage.filesystem, row_groups=groups)
    return [group.id for group in fragment.subset(filter=want.prune, schema=want.schema).row_groups]


def _batch_rows(group: pq.RowGroupMetaData, want: Want) -> int:
    """As many rows as take about the bytes asked for; batches are cut exactly afterwards."""
    row_bytes: int = max(1, group.total_byte_size // max(1, group.num_rows))
    return max(1, min(want.batch_rows, want.batch_bytes // row_bytes))
