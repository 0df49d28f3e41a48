"""The file formats, by name."""

from __future__ import annotations

from chimes_files.config import FormatName
from chimes_files.formats.csv import CsvFormat
from chimes_files.formats.format import Format, Source, Want
from chimes_files.formats.ipc import IpcFormat
from chimes_files.formats.jsonl import JsonlFormat
from chimes_files.formats.parquet import ParquetFormat

__all__ = ["FORMATS", "Format", "Source", "Want"]

FORMATS: dict[FormatName, Format] = {
    "parquet": ParquetFormat(),
    "csv": CsvFormat(),
    "ipc": IpcFormat(),
    "jsonl": JsonlFormat(),
}
