"""How the strict reference connector's source is filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import JsonValue

from chimes.conformance.harness import Case
from chimes.context import Context


class StrictConnectors:
    """One case: a folder of Arrow IPC files."""

    def cases(self, context: Context) -> Sequence[Case]:
        """The folder."""
        return [Case(config={"root": str(context.tmp)})]

    def types(self, case: Case) -> Sequence[pa.DataType]:
        """Arrow IPC carries every type; these are the ones that others lose most often."""
        return [
            pa.int64(),
            pa.float64(),
            pa.string(),
            pa.uint8(),
            pa.float32(),
            pa.bool_(),
            pa.binary(),
            pa.decimal128(20, 4),
            pa.date32(),
            pa.timestamp("ns", "Asia/Shanghai"),
            pa.list_(pa.int32()),
            pa.struct([("a", pa.int16()), ("b", pa.string())]),
        ]

    def seed(self, case: Case, tables: Mapping[str, pa.Table], context: Context) -> Mapping[str, JsonValue]:
        """One file for each table."""
        root = Path(context.tmp, "streams")
        root.mkdir(exist_ok=True)
        for name, table in tables.items():
            with pa.OSFile(str(root / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
        return {"root": str(root)}
