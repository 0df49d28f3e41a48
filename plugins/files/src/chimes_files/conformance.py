"""The harness for the conformance suite: the formats, the types that each carries, and how to write test files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pyarrow.types as pt
from chimes import Context
from chimes.conformance.harness import Case
from chimes.errors import UnsupportedError
from pydantic import JsonValue

from chimes_files.types import type_spec

__all__ = ["CSV_TYPES", "IPC_TYPES", "JSONL_TYPES", "PARQUET_TYPES", "FilesHarness"]

_UNITS = ("s", "ms", "us", "ns")
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
_STAMPS = tuple(pa.timestamp(unit, zone) for unit in _UNITS for zone in (None, "UTC", "Asia/Shanghai"))
_PLAIN = (pa.null(), pa.bool_(), *_INTEGERS, pa.float32(), pa.float64(), pa.decimal128(38, 10))
_TEXT = (pa.string(), pa.large_string())
_BYTES = (pa.binary(), pa.large_binary(), pa.binary(7))
_NESTED = (
    pa.list_(pa.int64()),
    pa.list_(pa.string()),
    pa.struct([("a", pa.int64()), ("b c", pa.string())]),
    pa.list_(pa.list_(pa.int8())),
)
_COLUMNAR = (
    *_PLAIN,
    pa.float16(),
    pa.decimal32(9, 2),
    pa.decimal64(18, 4),
    pa.decimal256(76, 20),
    pa.date32(),
    pa.time32("ms"),
    pa.time64("us"),
    pa.time64("ns"),
    *(stamp for stamp in _STAMPS if stamp.unit != "s"),
    *(pa.duration(unit) for unit in _UNITS),
    *_TEXT,
    pa.string_view(),
    *_BYTES,
    pa.binary_view(),
    *_NESTED,
    pa.large_list(pa.float32()),
    pa.list_(pa.int32(), 3),
    pa.list_(pa.struct([("a", pa.timestamp("us"))])),
    pa.map_(pa.string(), pa.int32()),
    pa.dictionary(pa.int32(), pa.string()),
    pa.fixed_shape_tensor(pa.float32(), (2, 3)),
)

PARQUET_TYPES: tuple[pa.DataType, ...] = _COLUMNAR
"""Without date64, time32 and timestamp in seconds, and dictionaries of other types than text: Parquet changes those."""

IPC_TYPES: tuple[pa.DataType, ...] = (
    *_COLUMNAR,
    pa.date64(),
    pa.time32("s"),
    *(stamp for stamp in _STAMPS if stamp.unit == "s"),
    pa.dictionary(pa.int32(), pa.int64()),
    pa.dictionary(pa.int32(), pa.large_string()),
)
"""Arrow IPC carries every Arrow type; these are tested."""

CSV_TYPES: tuple[pa.DataType, ...] = (
    *_PLAIN,
    pa.date32(),
    pa.date64(),
    *(pa.time32(unit) for unit in ("s", "ms")),
    *(pa.time64(unit) for unit in ("us", "ns")),
    *_STAMPS,
    *(pa.duration(unit) for unit in _UNITS),
    *_TEXT,
    pa.dictionary(pa.int32(), pa.string()),
)
"""With declared types. No bytes, no nested values, no other widths of decimals and floats."""

JSONL_TYPES: tuple[pa.DataType, ...] = (
    *_PLAIN,
    pa.decimal32(9, 2),
    pa.decimal64(18, 4),
    pa.decimal256(76, 20),
    pa.date32(),
    pa.date64(),
    *_STAMPS,
    *_TEXT,
    *_NESTED,
)
"""With declared types. No bytes, no times and durations."""

_CHUNK_ROWS = 16
Writer = Callable[[pa.Table, Path], None]


class FilesHarness:
    """One case for each format, and one for Parquet in several files."""

    def cases(self, context: Context) -> Sequence[Case]:
        """One case for each format, each with its own empty folder."""
        return [Case(name=name, config={"root": str(_root(context, name))}) for name in _CASES]

    def types(self, case: Case) -> Sequence[pa.DataType]:
        """The types that the format of the case carries without loss."""
        return _CASES[case.name][0]

    def seed(self, case: Case, tables: Mapping[str, pa.Table], context: Context) -> Mapping[str, JsonValue]:
        """Write each table below ``context.tmp``; raises UnsupportedError for a stream that cannot be a file name."""
        root = _root(context, case.name)
        _, suffix, write = _CASES[case.name]
        for name, table in tables.items():
            _check_name(name)
            if case.name == "parquet-folder":
                _write_folder(table, root / name)
            else:
                write(table, root / f"{name}{suffix}")
        config: dict[str, JsonValue] = {"root": str(root), "hidden": [], "min_part_bytes": 1}
        if case.name in ("csv", "jsonl"):
            config[case.name] = {"streams": {name: _types_of(table.schema) for name, table in tables.items()}}
        return config


def _root(context: Context, name: str) -> Path:
    root = context.tmp / "files" / name
    root.mkdir(parents=True, exist_ok=True)
    return root


def _types_of(schema: pa.Schema) -> dict[str, JsonValue]:
    return {field.name: type_spec(field.type) for field in schema}


def _check_name(name: str) -> None:
    if not name or "/" in name or "\0" in name or name in (".", "..") or len(name.encode()) > 240:
        raise UnsupportedError(f"a file cannot be called {name!r}", hint="seed streams with shorter or simpler names")


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=_CHUNK_ROWS)


def _write_folder(table: pa.Table, folder: Path) -> None:
    folder.mkdir()
    third = -(-table.num_rows // 3) or 1
    for number in range(3):
        _write_parquet(table.slice(number * third, third), folder / f"part-{number}.parquet")


def _write_ipc(table: pa.Table, path: Path) -> None:
    table = table.unify_dictionaries()
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=_CHUNK_ROWS)


def _write_csv(table: pa.Table, path: Path) -> None:
    pacsv.write_csv(pa.table([_in_utc(column) for column in table.columns], names=table.column_names), path)


def _write_jsonl(table: pa.Table, path: Path) -> None:
    columns = [_plain_values(_in_utc(column)) for column in table.columns]
    with path.open("w", encoding="utf-8") as file:
        for row in zip(*columns, strict=True):
            file.write(json.dumps(dict(zip(table.column_names, row, strict=True)), ensure_ascii=False) + "\n")


def _plain_values(column: pa.ChunkedArray) -> list[Any]:
    is_text = pt.is_temporal(column.type) or pt.is_decimal(column.type)
    return list((column.cast(pa.string()) if is_text else column).to_pylist())


def _in_utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # Historical local times have offsets with seconds, which a written offset does not have.
    if not pt.is_timestamp(column.type) or column.type.tz is None:
        return column
    return column.cast(pa.timestamp(column.type.unit, "UTC"))


_CASES: dict[str, tuple[tuple[pa.DataType, ...], str, Writer]] = {
    "parquet": (PARQUET_TYPES, ".parquet", _write_parquet),
    "parquet-folder": (PARQUET_TYPES, ".parquet", _write_parquet),
    "ipc": (IPC_TYPES, ".arrow", _write_ipc),
    "csv": (CSV_TYPES, ".csv", _write_csv),
    "jsonl": (JSONL_TYPES, ".jsonl", _write_jsonl),
}
