"""Composing gives a value or a list of problems, and starts nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.errors import CompositionError, Problem
from chimes.pipelines.composer import compose
from chimes.pipelines.composition import Composition
from chimes.pipelines.spec import Pipeline
from chimes.registry import Registry

Compose = Callable[..., Composition]
Problems = Callable[..., tuple[Problem, ...]]


def test_a_composition_survives_json(composed: Compose) -> None:
    composition = composed()
    assert Composition.model_validate_json(composition.model_dump_json()) == composition
    assert [match.verdict for match in composition.columns] == ["exact", "widening"]
    assert composition.rows()[0] == ("a: float32 not null", "float64", "float32", "exact")
    assert [placement.pool for placement in composition.placements] == ["desk"]
    assert composition.versions["acme-lab"] == "1.2"
    assert composition.workdir == os.getcwd()


def test_only_the_columns_that_are_needed_are_read(composed: Compose) -> None:
    assert composed().request.columns == ("a", "b")
    filters = [
        {"op": "and", "args": [{"op": "is_null", "column": "name"}, {"op": "gt", "column": "id", "value": 3}]},
        {"op": "not", "arg": {"op": "in", "column": "b", "values": [1]}},
    ]
    request = composed(source={"filters": filters, "limit": 5, "partitions": 2}, model={"keep": ["tags"]}).request
    assert request.columns == ("id", "a", "b", "name", "tags")
    assert (request.limit, request.partitions) == (5, 2)


def test_kept_columns_stand_before_the_outputs(composed: Compose) -> None:
    assert composed(model={"keep": ["name", "id"]}).output_schema.names == ["name", "id", "score", "batch_rows"]


def test_an_input_may_be_fed_from_a_column_of_another_name(composed: Compose) -> None:
    composition = composed(model={"columns": {"a": {"column": "a", "cast": True}, "b": "id"}})
    assert composition.request.columns == ("id", "a")


def test_the_plugins_are_found_without_a_registry_too(lab: Registry, make: Callable[..., Pipeline]) -> None:
    assert compose(make()).device.kind == "cpu"


SAD: list[tuple[dict[str, Any], str, str, str, str]] = [
    (
        {"source": {"component": "acme-lab:letters"}},
        "source",
        "not-found",
        "there is no connector 'acme-lab:letters'",
        "installed connectors: acme-lab:numbers",
    ),
    (
        {"model": {"component": "acme-other:none"}},
        "model",
        "not-found",
        "'acme-other:none'",
        "installed models: acme-lab:score",
    ),
    ({"backend": {"component": "acme-lab:moon"}}, "backend", "not-found", "'acme-lab:moon'", "acme-lab:bench"),
    ({"model": {"component": "acme-broken:x"}}, "model", "plugin-load", "a_driver_that_is_not_there", "chimes list"),
    ({"model": {"component": "acme-lab:nonsense"}}, "model", "plugin-load", "is not a Model", "author"),
    ({"source_config": {"colour": 1}}, "source", "config", "colour: there is no such field", "fields of Numbers: rows"),
    ({"model_config": {"behaviour": "odd"}}, "model", "config", "not 'odd'", "fields of Score"),
    ({"backend_config": {"npus": "many"}}, "backend", "config", "not 'many'", "fields of Bench"),
    ({"source": {"stream": "letters"}}, "source", "not-found", "there is no stream 'letters'", "streams: numbers"),
    ({"source_config": {"behaviour": "is away"}}, "source", "transient", "the archive is away", "noon"),
    (
        {"source_config": {"behaviour": "plans otherwise"}},
        "source",
        "schema-mismatch",
        "plans column 'a' differently",
        "author",
    ),
    ({"model_config": {"behaviour": "raises in describe"}}, "model", "plugin-crashed", "KeyError: 'weights'", "author"),
    ({"model_config": {"behaviour": "describes nonsense"}}, "model", "plugin-crashed", "returned a dict", "author"),
    (
        {"model_config": {"behaviour": "describes impossible batches"}},
        "model",
        "schema-mismatch",
        "at most 4",
        "author",
    ),
    ({"model": {"columns": {}}}, "model.columns.a", "schema-mismatch", "column 'a' is float64", 'cast = "float32"'),
    ({"model": {"columns": {"a": "aa"}}}, "model.columns.a", "schema-mismatch", "needs column 'aa'", 'a = "a"'),
    ({"model_config": {"b": "date32"}}, "model.columns.b", "schema-mismatch", "needs date32", 'cast = "date32"'),
    ({"model": {"params": {}}}, "model.params.factor", "config", "'factor' is missing", "[model.params]"),
    ({"model": {"params": {"factor": 1, "fan": 2}}}, "model.params.fan", "config", "'fan'", "factor, mode"),
    ({"model": {"keep": ["age"]}}, "model.keep", "not-found", "'age' is to be kept", "id, a, b, name"),
    ({"model": {"keep": ["id", "id"]}}, "model.keep", "config", "'id' is kept 2 times", "once"),
    ({"output": {"path": "/tmp/out.xlsx"}}, "output.path", "config", "'out.xlsx' has no known suffix", ".parquet"),
    ({"output": {"path": "/none/out.csv"}}, "output.path", "not-found", "'/none' does not exist", "make it"),
    ({"output": {"path": "/tmp"}}, "output.path", "config", "'/tmp' is a folder", "name a file"),
    ({"output": {"path": "/proc/out.csv"}}, "output.path", "config", "'/proc' is not writable", "elsewhere"),
    (
        {"output": {"path": "/tmp/out.csv"}, "model": {"keep": ["tags"]}},
        "output.path",
        "schema-mismatch",
        "cannot hold column 'tags'",
        ".jsonl",
    ),
    ({"model": {"device": "a fast one"}}, "model.device", "config", "'a fast one' is not a device", "kind:index"),
    ({"model": {"device": "cuda"}}, "model.device", "device-unavailable", "cannot run on cuda", '"cpu"'),
    ({"model": {"device": "npu"}}, "model.device", "infeasible", "npu: pool desk has no npu", 'device = "cpu"'),
    ({"resources": {"cpus": 64}}, "resources", "infeasible", "has 4 cpus, 64 are asked for", "[resources]"),
    ({"backend_config": {"behaviour": "is down"}}, "backend", "infrastructure", "the bench is down", "switch it on"),
    ({"backend_config": {"behaviour": "has no pools"}}, "resources", "infeasible", "has no pools", "[backend]"),
    (
        {"source": {"filters": [{"op": "eq", "column": "age", "value": 1}]}},
        "source.filters.0",
        "not-found",
        "'age'",
        "columns: id",
    ),
    (
        {"source": {"filters": [{"op": "eq", "column": "id", "value": "x"}]}},
        "source.filters.0",
        "schema-mismatch",
        "'x' cannot be compared",
        "own type",
    ),
    (
        {"source": {"filters": [{"op": "in", "column": "tags", "values": []}]}},
        "source.filters.0",
        "schema-mismatch",
        "cannot be compared",
        "",
    ),
]


@pytest.mark.parametrize(
    ("changes", "where", "code", "message", "fix"), SAD, ids=[f"{case[1]}-{case[3]}" for case in SAD]
)
def test_a_problem_has_code_value_and_fix(
    problems: Problems, changes: dict[str, Any], where: str, code: str, message: str, fix: str
) -> None:
    (problem,) = problems(**changes)
    assert (problem.where, problem.code) == (where, code)
    assert message in problem.message
    assert problem.fix
    assert fix in problem.fix


def test_a_kept_column_may_not_have_the_name_of_an_output(problems: Problems) -> None:
    echo = {"component": "acme-lab:echo", "keep": ["id"], "columns": {}, "config": {}}
    (problem,) = problems(model=echo)
    assert problem.code == "config"
    assert "'id' is kept and is an output" in problem.message
    assert "its outputs: id" in problem.fix


def test_all_problems_are_reported_at_once(lab: Registry, make: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = make(
        source={"filters": [{"op": "eq", "column": "age", "value": 1}]},
        model={"device": "npu", "keep": ["age"], "columns": {}, "params": {"fan": 1}},
        output={"path": str(tmp_path / "none" / "out.doc")},
    )
    with pytest.raises(CompositionError, match="does not compose: 8 problems") as caught:
        compose(pipeline, lab)
    assert sorted(problem.where for problem in caught.value.problems) == [
        "model.columns.a",
        "model.device",
        "model.keep",
        "model.params.factor",
        "model.params.fan",
        "output.path",
        "output.path",
        "source.filters.0",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_found_hides_no_other_problem(problems: Problems) -> None:
    found = problems(
        model={"component": "acme-other:none", "keep": ["age"], "device": "?"}, source={"stream": "letters"}
    )
    assert {problem.where for problem in found} == {"model", "model.device", "source"}


def test_a_device_of_the_pool_is_a_placement(composed: Compose) -> None:
    composition = composed(model={"device": "npu:1"}, backend_config={"npus": 2})
    assert str(composition.device) == "npu:1"
    assert composition.resources.accelerators[0].kinds == ("npu",)
