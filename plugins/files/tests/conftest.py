"""Connectors over files made by the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chimes import Context, ReadRequest
from chimes.kinds.component import parse_config
from chimes.kinds.connector import ReadPlan
from chimes_files.connector import FilesConnector

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]


@pytest.fixture
def connect(tmp_path_factory: pytest.TempPathFactory) -> Connect:
    context = Context.under(tmp_path_factory.mktemp("context"))

    def make(root: Path | str, **config: Any) -> FilesConnector:
        values = parse_config(FilesConnector, {"root": str(root), **config})
        return FilesConnector(values, context)  # type: ignore[arg-type]

    return make


@pytest.fixture
def read() -> Read:
    def all_rows(connector: FilesConnector, stream: str, **request: Any) -> pa.Table:
        asked = ReadRequest(stream=stream, **request)
        plan = ReadPlan.model_validate_json(connector.plan(asked).model_dump_json())
        batches = list(_batches(connector, asked, plan))
        assert all(batch.schema.equals(plan.arrow_schema, check_metadata=True) for batch in batches)
        return pa.Table.from_batches(batches, schema=plan.arrow_schema)

    return all_rows


def _batches(connector: FilesConnector, request: ReadRequest, plan: ReadPlan) -> Iterator[pa.RecordBatch]:
    for partition in plan.partitions:
        for batch in connector.read(request, partition):
            assert 0 < batch.num_rows <= request.batch_rows
            yield batch
