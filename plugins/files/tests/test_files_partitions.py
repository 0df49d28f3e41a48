"""Partitions: disjoint, complete, the same on every call, readable by any process; batches of the requested size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from chimes import Context, Partition, ReadRequest
from chimes.conformance.harness import Case
from chimes.conformance.testdata.compare import same_table
from chimes.errors import CancelledError, InvalidStateError
from chimes.kinds.component import parse_config
from chimes.kinds.predicates import Compare
from chimes.processes import run
from chimes_files.conformance import FilesHarness
from chimes_files.connector import FilesConnector

CASES = ["parquet", "parquet-folder", "ipc", "csv", "jsonl"]
Connect = Callable[..., FilesConnector]


def seeded(name: str, table: pa.Table, context: Context) -> FilesConnector:
    config = FilesHarness().seed(Case(name=name), {"t": table}, context)
    return FilesConnector(parse_config(FilesConnector, config), context)  # type: ignore[arg-type]


def parts(connector: FilesConnector, request: ReadRequest) -> list[list[int]]:
    plan = connector.plan(request)
    return [
        [i for batch in connector.read(request, part) for i in batch.column("i").to_pylist()]
        for part in plan.partitions
    ]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("wanted", [1, 2, 7, 64])
def test_parts_are_disjoint_complete_and_the_same_on_every_call(name: str, wanted: int, tmp_path: Path) -> None:
    table = pa.table({"i": range(500), "s": [str(i) * 9 for i in range(500)]})
    connector = seeded(name, table, Context.under(tmp_path))
    request = ReadRequest(stream="t", partitions=wanted)
    found = parts(connector, request)
    assert sorted(i for part in found for i in part) == list(range(500))
    assert 1 <= len(found) <= wanted
    assert sum(bool(part) for part in found) >= min(wanted, 7)
    assert connector.plan(request) == connector.plan(request)
    assert len({part.id for part in connector.plan(request).partitions}) == len(found)


@pytest.mark.parametrize("name", CASES)
def test_a_part_is_read_by_a_fresh_process_from_json_alone(name: str, tmp_path: Path) -> None:
    context = Context.under(tmp_path)
    table = pa.table({"i": range(200), "s": [None if i % 3 else f"词{i}" for i in range(200)]})
    connector = seeded(name, table, context)
    request = ReadRequest(
        stream="t", partitions=2, columns=("s", "i"), filters=(Compare(op="ge", column="i", value=9),)
    )
    plan = connector.plan(request)
    assert len(plan.partitions) == 2
    tables = []
    for number, part in enumerate(plan.partitions):
        task = {"config": connector.config.model_dump(mode="json"), "out": str(tmp_path / f"{number}.arrow")}
        task |= {"request": request.model_dump(mode="json"), "partition": part.model_dump(mode="json")}
        done = run([sys.executable, "-c", READER], stdin=json.dumps(task).encode(), timeout_s=60)
        assert done.returncode == 0, done.text
        with pa.ipc.open_file(task["out"]) as reader:
            assert reader.schema.equals(plan.arrow_schema, check_metadata=True)
            tables.append(reader.read_all())
    assert same_table(pa.concat_tables(tables), table.slice(9).select(["s", "i"]))


READER = """
import json, pathlib, sys
import pyarrow as pa
from chimes import Context, Partition, ReadRequest
from chimes.kinds.component import parse_config
from chimes_files.connector import FilesConnector

task = json.load(sys.stdin)
context = Context.under(pathlib.Path(task["out"]).with_suffix(".context"))
connector = FilesConnector(parse_config(FilesConnector, task["config"]), context)
request = ReadRequest.model_validate(task["request"])
partition = Partition.model_validate(task["partition"])
batches = list(connector.read(request, partition))
with pa.ipc.new_file(task["out"], batches[0].schema) as writer:
    for batch in batches:
        writer.write_batch(batch)
"""


def test_many_files_are_distributed_by_their_size(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "t").mkdir()
    for number in range(20):
        pq.write_table(pa.table({"i": range(number * 10, number * 10 + 10)}), tmp_path / "t" / f"{number:02}.parquet")
    found = parts(connect(tmp_path), ReadRequest(stream="t", partitions=4))
    assert [len(part) for part in found] == [50, 50, 50, 50]


def test_a_small_text_file_is_not_cut(tmp_path: Path, connect: Connect) -> None:
    pacsv.write_csv(pa.table({"i": range(5000)}), tmp_path / "t.csv")
    assert len(connect(tmp_path).plan(ReadRequest(stream="t", partitions=8)).partitions) == 1
    assert len(connect(tmp_path, min_part_bytes=8192).plan(ReadRequest(stream="t", partitions=8)).partitions) == 2


def test_a_plan_estimates_rows_from_the_footer(tmp_path: Path, connect: Connect) -> None:
    pq.write_table(pa.table({"i": range(100)}), tmp_path / "t.parquet", row_group_size=25)
    pacsv.write_csv(pa.table({"i": range(9)}), tmp_path / "c.csv")
    connector = connect(tmp_path)
    plan = connector.plan(ReadRequest(stream="t", partitions=2))
    assert (plan.estimated_rows, [part.estimated_rows for part in plan.partitions]) == (100, [50, 50])
    assert connector.plan(ReadRequest(stream="t")).estimated_rows == 100
    assert connector.plan(ReadRequest(stream="c")).estimated_rows is None
    assert [(i.name, i.estimated_rows) for i in connector.discover()] == [("c", None), ("t", 100)]


@pytest.mark.parametrize("name", CASES)
def test_batches_have_at_most_the_requested_rows_and_bytes(name: str, tmp_path: Path) -> None:
    words = ["x" * (1 + 37 * i % 500) for i in range(400)]
    connector = seeded(name, pa.table({"i": range(400), "s": words}), Context.under(tmp_path))
    for request in (ReadRequest(stream="t", batch_rows=7), ReadRequest(stream="t", batch_bytes=2000)):
        batches = list(connector.read(request, connector.plan(request).partitions[0]))
        assert max(batch.num_rows for batch in batches) <= request.batch_rows
        assert max(batch.nbytes for batch in batches) <= request.batch_bytes * 2
        assert sum(batch.num_rows for batch in batches) == 400


def test_one_row_larger_than_a_batch_comes_alone_and_a_shared_dictionary_is_not_counted(
    tmp_path: Path, connect: Connect
) -> None:
    texts = pa.array(["a", "b" * 10_000, "c", "d"])
    with pa.ipc.new_file(tmp_path / "t.arrow", pa.schema([("s", pa.string())])) as writer:
        writer.write_table(pa.table({"s": texts}))
    coded = pa.array(["x" * 5000, "y" * 5000] * 50).dictionary_encode()
    with pa.ipc.new_file(tmp_path / "d.arrow", pa.schema([("s", coded.type)])) as writer:
        writer.write_table(pa.table({"s": coded}))
    connector = connect(tmp_path)
    sizes = {}
    for stream in ("t", "d"):
        request = ReadRequest(stream=stream, batch_bytes=600)
        sizes[stream] = [b.num_rows for b in connector.read(request, connector.plan(request).partitions[0])]
    assert sizes == {"t": [1, 1, 2], "d": [100]}


@pytest.mark.parametrize("name", CASES)
def test_each_part_keeps_the_limit_and_gives_enough_rows(name: str, tmp_path: Path) -> None:
    connector = seeded(name, pa.table({"i": range(100)}), Context.under(tmp_path))
    for limit in (0, 1, 33, 1000):
        for wanted in (1, 3):
            request = ReadRequest(stream="t", limit=limit, partitions=wanted, batch_rows=10)
            found = parts(connector, request)
            assert all(len(part) <= limit for part in found)
            assert sum(map(len, found)) >= min(limit, 100)


def test_a_file_rewritten_with_other_row_groups_is_refused(tmp_path: Path, connect: Connect) -> None:
    pq.write_table(pa.table({"i": range(100)}), tmp_path / "t.parquet", row_group_size=10)
    connector, request = connect(tmp_path), ReadRequest(stream="t", partitions=2)
    plan = connector.plan(request)
    pq.write_table(pa.table({"i": range(100)}), tmp_path / "t.parquet", row_group_size=20)
    with pytest.raises(InvalidStateError, match=r"t\.parquet was planned with 10 parts and now has 5"):
        list(connector.read(request, plan.partitions[0]))


@pytest.mark.parametrize("path", ["../secret.parquet", "/etc/passwd", "a/../../b.parquet"])
def test_a_token_with_a_path_outside_of_the_root_is_refused(tmp_path: Path, connect: Connect, path: str) -> None:
    pq.write_table(pa.table({"i": range(3)}), tmp_path / "t.parquet")
    connector, request = connect(tmp_path), ReadRequest(stream="t")
    token = connector.plan(request).partitions[0].model_dump(mode="json")["token"]
    token["pieces"][0]["path"] = path
    with pytest.raises(InvalidStateError, match="not planned by this connector"):
        list(connector.read(request, Partition(id="1", token=token)))


@pytest.mark.parametrize("units", [[-1, 1, 1], [2, 1, 3], [0, 9, 3], "all"])
def test_a_token_with_impossible_units_is_refused(tmp_path: Path, connect: Connect, units: object) -> None:
    pq.write_table(pa.table({"i": range(3)}), tmp_path / "t.parquet")
    connector, request = connect(tmp_path), ReadRequest(stream="t")
    token = connector.plan(request).partitions[0].model_dump(mode="json")["token"]
    token["pieces"][0]["units"] = units
    wrongs: tuple[Any, ...] = (token, None, "x", {})
    for wrong in wrongs:
        with pytest.raises(InvalidStateError):
            list(connector.read(request, Partition(id="1", token=wrong)))


def test_a_read_ends_when_it_is_cancelled(tmp_path: Path, connect: Connect) -> None:
    pq.write_table(pa.table({"i": range(100)}), tmp_path / "t.parquet")
    connector, request = connect(tmp_path), ReadRequest(stream="t", batch_rows=10)
    batches: Iterator[pa.RecordBatch] = connector.read(request, connector.plan(request).partitions[0])
    assert next(batches).num_rows == 10
    connector.context.cancel.cancel()
    with pytest.raises(CancelledError):
        next(batches)


def test_a_read_that_is_abandoned_closes_its_files(tmp_path: Path, connect: Connect) -> None:
    pq.write_table(pa.table({"i": range(100)}), tmp_path / "t.parquet")
    pacsv.write_csv(pa.table({"i": range(100_000)}), tmp_path / "c.csv")
    connector = connect(tmp_path)
    for stream in ("t", "c"):
        request = ReadRequest(stream=stream, batch_rows=10)
        batches = connector.read(request, connector.plan(request).partitions[0])
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        assert not [link for link in Path("/proc/self/fd").iterdir() if str(tmp_path) in _target(link)]


def _target(link: Path) -> str:
    return str(link.readlink()) if link.is_symlink() else ""


@pytest.mark.parametrize("name", CASES)
def test_one_connector_serves_several_threads(name: str, tmp_path: Path) -> None:
    table = pa.table({"i": range(300), "s": [str(i) for i in range(300)]})
    connector = seeded(name, table, Context.under(tmp_path))
    requests = [ReadRequest(stream="t", partitions=n, batch_rows=17) for n in (1, 2, 3, 4)] * 3
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda request: parts(connector, request), requests):
            assert sorted(i for part in found for i in part) == list(range(300))
