"""Arrow IPC files: schema from the footer, stored record batches picked by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from chimes_files.formats.format import Source, Want, unit_range
from chimes_files.schemas import check_schema

__all__ = ["IpcFormat"]


class IpcFormat:
    """The file format (also known as Feather 2), not the stream format."""

    label = "Arrow IPC"
    has_units = True

    def schema(self, sources: Sequence[Source]) -> pa.Schema:
        """The schema in the first file's footer."""
        source = sources[0]
        with source.storage.open_file(source.path) as file, pa.ipc.open_file(file) as reader:
            return reader.schema

    def unit_rows(self, source: Source) -> Sequence[int]:
        """One for each stored batch: its number of rows is not in the footer."""
        with source.storage.open_file(source.path) as file, pa.ipc.open_file(file) as reader:
            return [1] * reader.num_record_batches

    def read(self, source: Source, want: Want) -> Iterator[pa.RecordBatch]:
        """The stored batches wanted; only the columns wanted are read."""
        with source.storage.open_file(source.path) as file:
            with pa.ipc.open_file(file) as whole:
                stored = whole.schema
            check_schema(source.path, want.schema, stored)
            fields = [stored.get_field_index(name) for name in want.columns]
            with pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields)) as reader:
                for number in unit_range(source.path, want.units, reader.num_record_batches):
                    yield reader.get_batch(number)
