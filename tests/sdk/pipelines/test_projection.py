"""Projection: source columns to model inputs, and the model's answers against its signature."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from arrow_columns import COLUMNS, plain_values
from chimes.errors import SchemaMismatchError
from chimes.host.assignability import fit_type
from chimes.pipelines.projection import check_outputs, match_columns, project
from chimes.pipelines.spec import Column


def solid(name: str, dtype: pa.DataType) -> pa.Field:
    return pa.field(name, dtype, nullable=False)


def convert(array: pa.Array, field: pa.Field, cast: Any = None) -> pa.RecordBatch:
    source = pa.schema([pa.field("x", array.type, nullable=field.nullable or cast is not None)])
    inputs = pa.schema([field])
    columns = {field.name: Column(column="x", cast=cast)}
    matches, problems = match_columns(source, inputs, columns)
    assert not problems
    return project(pa.RecordBatch.from_arrays([array], schema=source), matches, inputs)


def problem(source: pa.Field, field: pa.Field, cast: Any = None) -> tuple[str, str]:
    columns = {field.name: Column(column="x", cast=cast)}
    matches, problems = match_columns(pa.schema([source]), pa.schema([field]), columns)
    assert matches[0].verdict in ("missing", "incompatible")
    return problems[0].message, problems[0].fix


def test_columns_are_matched_by_name_with_a_verdict_each() -> None:
    source = pa.schema([solid("b", pa.int32()), solid("a", pa.int64()), pa.field("c", pa.float64())])
    inputs = pa.schema(
        [solid("a", pa.int64()), solid("b", pa.int64()), pa.field("c", pa.float32()), solid("d", pa.int8())]
    )
    matches, problems = match_columns(source, inputs, {})
    assert [match.verdict for match in matches] == ["exact", "widening", "incompatible", "missing"]
    assert matches[1].source_type == "int32 not null"
    assert matches[3].source_type is None
    assert [problem.where for problem in problems] == ["model.columns.c", "model.columns.d"]


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    message, fix = problem(solid("xx", pa.int8()), solid("input", pa.int8()))
    assert message == "input 'input' needs column 'x', the source has none"
    assert 'input = "xx"' in fix
    assert "the source has: xx" in fix


def test_a_column_that_is_there_twice_cannot_be_chosen() -> None:
    source = pa.schema([solid("a", pa.int8()), solid("a", pa.int16())])
    _, problems = match_columns(source, pa.schema([solid("a", pa.int8())]), {})
    assert "2 columns 'a'" in problems[0].message


def test_a_lossy_step_needs_the_cast_that_the_fix_spells_out() -> None:
    message, fix = problem(solid("x", pa.float64()), solid("y", pa.float32()))
    assert message == "column 'x' is float64 not null, input 'y' needs float32 not null"
    assert fix == 'under [model.columns] write y = { column = "x", cast = "float32" }'


def test_nulls_into_an_input_without_nulls_need_a_cast() -> None:
    _, fix = problem(pa.field("x", pa.float32()), solid("y", pa.float32()))
    assert fix.endswith('cast = "float32" }; a null then ends the run')


def test_a_type_without_a_name_is_cast_by_true() -> None:
    _, fix = problem(pa.field("x", pa.list_(pa.float64())), pa.field("y", pa.list_(pa.float32())))
    assert "cast = true" in fix
    array = pa.array([[0.5], None])
    batch = convert(array, pa.field("y", pa.list_(pa.float32())), cast=True)
    assert batch.column(0).to_pylist() == [[0.5], None]


def test_types_without_any_cast_need_another_column() -> None:
    _, fix = problem(pa.field("x", pa.int8()), pa.field("y", pa.list_(pa.int8())))
    assert "another column" in fix
    _, fix = problem(pa.field("x", pa.list_(pa.int8())), pa.field("y", pa.int8()), cast="int8")
    assert "another column" in fix


def test_a_cast_that_the_input_does_not_take_is_refused() -> None:
    message, fix = problem(pa.field("x", pa.int8()), pa.field("y", pa.float32()), cast="float64")
    assert message == "cast 'float64' does not fit input 'y', which needs float32"
    assert "cast = true" in fix


def test_a_cast_to_an_unknown_type_is_refused() -> None:
    message, _ = problem(pa.field("x", pa.int8()), pa.field("y", pa.float32()), cast="float31")
    assert "'float31'" in message


def test_an_input_that_the_model_lacks_is_refused() -> None:
    source = pa.schema([solid("aa", pa.int8())])
    _, problems = match_columns(source, source, {"aaa": Column(column="aa")})
    assert problems[0].message == "the model has no input 'aaa'"
    assert problems[0].fix == "did you mean aa? its inputs: aa"
    _, problems = match_columns(source, source, {"zz": Column(column="aa")})
    assert problems[0].fix == "its inputs: aa"


def test_a_batch_becomes_exactly_the_inputs() -> None:
    batch = convert(pa.array([1, 2], pa.int16()), solid("y", pa.float32()))
    assert batch.schema == pa.schema([solid("y", pa.float32())])
    assert batch.column(0).to_pylist() == [1.0, 2.0]


def test_a_cast_may_round() -> None:
    assert convert(pa.array([0.1]), solid("y", pa.float32()), cast="float32").column(0)[0].as_py() == pytest.approx(0.1)


def test_a_cast_may_be_followed_by_a_widening() -> None:
    rounded = convert(pa.array([0.1]), solid("y", pa.float64()), cast="float32").column(0)[0].as_py()
    assert rounded != 0.1
    assert rounded == pytest.approx(0.1)


def test_a_dictionary_is_decoded() -> None:
    array = pa.array(["a", "b", "a"]).dictionary_encode()
    assert convert(array, pa.field("y", pa.large_string())).column(0).to_pylist() == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("array", "cast", "why"),
    [
        (pa.array([1, 2**40]), "int32", "1099511627776"),
        (pa.array([1.5]), "int32", "1.5"),
        (pa.array([1e300]), "float32", "1e\\+300 is too large"),
        (pa.array(["seven"]), "int32", "seven"),
        (pa.array([1_500], pa.timestamp("ms")), "timestamp[s]", "1500"),
    ],
)
def test_a_value_that_cannot_be_cast_is_named(array: pa.Array, cast: str, why: str) -> None:
    with pytest.raises(SchemaMismatchError, match=f"column 'x' cannot become .*{why}") as caught:
        convert(array, solid("y", pa.type_for_alias(cast)), cast=cast)
    assert caught.value.hint


def test_a_null_where_none_is_allowed_is_named() -> None:
    with pytest.raises(SchemaMismatchError, match="column 'x' holds nulls, input 'y' allows none"):
        convert(pa.array([1.0, None]), solid("y", pa.float64()), cast="float64")


def test_a_null_inside_a_list_is_named() -> None:
    inner = pa.list_(solid("item", pa.float64()))
    with pytest.raises(SchemaMismatchError, match=r"column 'x\[\]' holds nulls"):
        convert(pa.array([[1.0], [None]]), solid("y", inner), cast=True)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_every_type_is_fed_as_it_is(name: str) -> None:
    column = COLUMNS[name]
    batch = convert(column, pa.field("y", column.type))
    assert batch.column(0).type == column.type
    assert plain_values(batch.column(0)) == plain_values(column)


@pytest.mark.parametrize("name", [name for name in COLUMNS if isinstance(COLUMNS[name].type, pa.BaseExtensionType)])
def test_an_extension_type_is_cast_to_and_from_its_storage_type(name: str) -> None:
    column = COLUMNS[name]
    stored = convert(column, pa.field("y", column.type.storage_type)).column(0)
    assert plain_values(stored) == plain_values(column.storage)
    made = convert(stored, pa.field("y", column.type), cast=True).column(0)
    assert made.type == column.type
    assert plain_values(made) == plain_values(column)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_every_type_is_cast_to_every_other_or_refused_by_name(name: str) -> None:
    column = COLUMNS[name]
    source = pa.schema([pa.field("x", column.type)])
    batch = pa.RecordBatch.from_arrays([column], schema=source)
    columns = {"y": Column(column="x", cast=True)}
    for target in COLUMNS.values():
        inputs = pa.schema([pa.field("y", target.type)])
        matches, problems = match_columns(source, inputs, columns)
        found = problems[0].message if problems else cast_refusal(batch, matches, inputs)
        assert "column 'x'" in found or not found
        widens = fit_type(column.type, target.type) != "incompatible"
        # A finer unit holds 292 000 years and more, but not every number; Arrow cannot make nulls of run ends in lists.
        excused = "out of bounds" in found or "run_end_encoded" in str(target.type)
        assert not (widens and found) or excused, str(target.type)


def cast_refusal(batch: pa.RecordBatch, matches: Any, inputs: pa.Schema) -> str:
    try:
        assert project(batch, matches, inputs).schema == inputs
    except SchemaMismatchError as error:
        return str(error)
    return ""


OUTPUTS = pa.schema(
    [solid("p", pa.float64()), pa.field("s", pa.struct([solid("x", pa.int64()), pa.field("y", pa.list_(pa.int64()))]))]
)


def answer(**columns: list[Any]) -> pa.RecordBatch:
    values = {"p": [0.5], "s": [{"x": 1, "y": [1]}], **columns}
    arrays = [pa.array(values[field.name], field.type) for field in OUTPUTS]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTPUTS)


def test_an_answer_with_the_schema_of_the_signature_passes() -> None:
    assert check_outputs(answer(), OUTPUTS, 1) == answer()
    assert check_outputs(answer(s=[None]), OUTPUTS, 1).num_rows == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (answer(p=[None]), "column 'p' of the model's answer holds nulls"),
        (answer(s=[{"x": None, "y": []}]), r"column 's\.x' of the model's answer holds nulls"),
        (answer().select(["p"]), "lacks column 's'"),
        (answer().select(["s", "p"]), "in another order"),
        (answer().append_column("q", pa.array([1])), "column 'q' is not in its signature"),
        (
            answer().set_column(0, "p", pa.array([0.5])),
            "column 'p' of the model's answer is float64, not float64 not null",
        ),
        (answer(p=[0.5, 1.0], s=[None, None]), "has 2 rows for 1 rows"),
        (3, "not int"),
    ],
)
def test_an_answer_with_another_schema_is_the_plugins_fault(value: Any, why: str) -> None:
    with pytest.raises(SchemaMismatchError, match=why) as caught:
        check_outputs(value, OUTPUTS, 1)
    assert caught.value.fault == "plugin"
    assert caught.value.hint
