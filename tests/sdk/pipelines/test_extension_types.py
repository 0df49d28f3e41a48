"""Columns of extension types, the plugin's own included, in a whole run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes.pipelines.launcher import RunReport

Ran = Callable[..., RunReport]


@pytest.mark.parametrize("suffix", [".arrow", ".parquet", ".jsonl"])
@pytest.mark.parametrize("exact", [True, False])
def test_columns_of_extension_types_are_filtered_and_kept(ran: Ran, tmp_path: Path, suffix: str, exact: bool) -> None:
    output = tmp_path / f"scores{suffix}"
    report = ran(
        source={
            "stream": "typed",
            "filters": [
                {"op": "not", "arg": {"op": "is_null", "column": "heat"}},
                {"op": "gt", "column": "id", "value": 3},
            ],
        },
        source_config={"exact": exact},
        model={
            "component": "acme-lab:echo",
            "keep": ["heat", "key", "image", "keys"],
            "columns": {},
            "config": {},
            "params": {},
        },
        output={"path": str(output)},
    )
    assert report.failure is None, report.failure
    if suffix == ".jsonl":
        first = json.loads(output.read_text("utf-8").splitlines()[0])
        key = "00000000-0000-0000-0000-000000000004"
        assert first == {"heat": 21.5, "key": key, "image": [1, 2], "keys": [key], "id": 4}
        return
    table = pq.read_table(output) if suffix == ".parquet" else pa.ipc.open_file(output).read_all()
    assert table.column("id").to_pylist() == [4, 6, 8]
    assert [str(table.field(name).type) for name in ("heat", "key")] == [
        "extension<acme.lab.celsius<Celsius>>",
        "extension<arrow.uuid>",
    ]
    assert table.column("image").chunk(0).storage.to_pylist() == [[1, 2]] * 3
