"""Matches source columns with a model's inputs by name before a run, and converts batches during the run.

Without a cast only conversions are made that lose nothing and cannot fail. A cast may round a float. Any other value
that the new type cannot hold, and a null in an input without nulls, ends the run with an error that names the column.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from chimes.errors import ConfigError, Problem, SchemaMismatchError
from chimes.host.assignability import fit_field, fit_type, name_type, parse_type
from chimes.host.casting import cast_array, is_castable
from chimes.kinds.component import Value
from chimes.kinds.predicates import select_rows
from chimes.kinds.schema import import_batch
from chimes.pipelines.spec import Column

__all__ = ["ColumnMatch", "Verdict", "check_outputs", "match_columns", "project"]

Verdict = Literal["exact", "widening", "missing", "incompatible"]
_LISTS = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)


class ColumnMatch(Value):
    """One input of the model: the source column, the types (Arrow's names) and how well they fit.

    ``cast`` is the type that the pipeline asks for in between; with it the verdict is about that type.
    """

    input: str
    input_type: str
    source: str
    source_type: str | None
    cast: str | None
    verdict: Verdict


def match_columns(
    source: pa.Schema, inputs: pa.Schema, columns: Mapping[str, Column]
) -> tuple[tuple[ColumnMatch, ...], tuple[Problem, ...]]:
    """Match each of ``inputs`` with a column of ``source``: one match per input, one problem per misfit."""
    matches, problems = [], []
    for field in inputs:
        match, problem = _match(source, field, columns.get(field.name, Column(column=field.name)))
        matches.append(match)
        problems += [problem] if problem else []
    for name in columns:
        if name not in inputs.names:
            problems.append(_unknown_input(name, inputs))
    return tuple(matches), tuple(problems)


def project(batch: pa.RecordBatch, matches: Sequence[ColumnMatch], inputs: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the schema ``inputs``; raises SchemaMismatchError naming the column."""
    arrays = [_convert(batch.column(match.source), match, field) for match, field in zip(matches, inputs, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=inputs)


def check_outputs(answer: Any, outputs: pa.Schema, rows: int) -> pa.RecordBatch:
    """A model's answer as a record batch that has exactly ``outputs`` and ``rows`` rows.

    Raises SchemaMismatchError, the plugin's fault, naming the column.
    """
    batch = import_batch(answer)
    for field in outputs:
        if field.name not in batch.schema.names:
            raise _broken(f"the model's answer lacks column {field.name!r}", outputs)
        found = batch.schema.field(field.name)
        if not found.equals(field):
            raise _broken(
                f"column {field.name!r} of the model's answer is {_typed(found)}, not {_typed(field)}", outputs
            )
        if (path := _first_null(batch.column(field.name), field, field.name)) is not None:
            raise _broken(f"column {path!r} of the model's answer holds nulls that its signature excludes", outputs)
    if batch.schema.names != outputs.names:
        extra = [name for name in batch.schema.names if name not in outputs.names]
        what = f"column {extra[0]!r} is not in its signature" if extra else "its columns are in another order"
        raise _broken(f"the model's answer does not fit: {what}", outputs)
    if batch.num_rows != rows:
        raise _broken(f"the model's answer has {batch.num_rows} rows for {rows} rows", outputs)
    return pa.RecordBatch.from_arrays(batch.columns, schema=outputs)


def _broken(message: str, outputs: pa.Schema) -> SchemaMismatchError:
    promised = ", ".join(f"{field.name}: {_typed(field)}" for field in outputs)
    hint = f"the plugin must answer one row per input row with exactly ({promised})"
    return SchemaMismatchError(message, hint=hint, fault="plugin")


def _typed(field: pa.Field) -> str:
    return name_type(field.type) + ("" if field.nullable else " not null")


def _match(source: pa.Schema, field: pa.Field, column: Column) -> tuple[ColumnMatch, Problem | None]:
    if source.names.count(column.column) != 1:
        return _matched(field, column, None, "missing"), _missing(source, field, column)
    found = source.field(column.column)
    if column.cast is None:
        fit = fit_field(found, field)
        problem = _misfit(found, field, column) if fit == "incompatible" else None
        return _matched(field, column, found, fit), problem
    try:
        between = field.type if column.cast is True else parse_type(column.cast)
    except ConfigError as error:
        where = f"model.columns.{field.name}.cast"
        problem = Problem(code=error.code, message=str(error), fix=error.hint or "", where=where)
        return _matched(field, column, found, "incompatible"), problem
    fit = fit_type(between, field.type)
    if fit == "incompatible" or not is_castable(found.type, between):
        return _matched(field, column, found, "incompatible"), _bad_cast(found, field, between)
    return _matched(field, column, found, fit), None


def _matched(field: pa.Field, column: Column, found: pa.Field | None, verdict: Verdict) -> ColumnMatch:
    return ColumnMatch(
        input=field.name,
        input_type=_typed(field),
        source=column.column,
        source_type=None if found is None else _typed(found),
        cast=name_type(field.type) if column.cast is True else column.cast,
        verdict=verdict,
    )


def _mismatch(message: str, fix: str, field: pa.Field) -> Problem:
    return Problem(code=SchemaMismatchError.code, message=message, fix=fix, where=f"model.columns.{field.name}")


def _missing(source: pa.Schema, field: pa.Field, column: Column) -> Problem:
    known = ", ".join(source.names[:20]) + (", ..." if len(source.names) > 20 else "")
    times = source.names.count(column.column)
    if times > 1:
        message = f"the source has {times} columns {column.column!r}, input {field.name!r} needs one"
        return _mismatch(message, "rename all but one of them in the source", field)
    near = difflib.get_close_matches(column.column, source.names, n=1)
    name = near[0] if near else "<column>"
    fix = f'under [model.columns] write {field.name} = "{name}"; the source has: {known}'
    return _mismatch(f"input {field.name!r} needs column {column.column!r}, the source has none", fix, field)


def _misfit(found: pa.Field, field: pa.Field, column: Column) -> Problem:
    message = f"column {found.name!r} is {_typed(found)}, input {field.name!r} needs {_typed(field)}"
    if not is_castable(found.type, field.type):
        return _mismatch(message, "feed it from another column, or change the type in the source", field)
    name = name_type(field.type)
    cast = f'"{name}"' if _has_name(name) else "true"
    fix = f'under [model.columns] write {field.name} = {{ column = "{column.column}", cast = {cast} }}'
    if found.nullable and not field.nullable:
        fix += "; a null then ends the run"
    return _mismatch(message, fix, field)


def _has_name(name: str) -> bool:
    try:
        parse_type(name)
    except ConfigError:
        return False
    return True


def _bad_cast(found: pa.Field, field: pa.Field, between: pa.DataType) -> Problem:
    if is_castable(found.type, between):
        message = f"cast {name_type(between)!r} does not fit input {field.name!r}, which needs {_typed(field)}"
        return _mismatch(message, "write cast = true for the input's own type", field)
    message = f"column {found.name!r} is {_typed(found)} and cannot be cast to {name_type(between)}"
    return _mismatch(message, "feed it from another column, or change the type in the source", field)


def _unknown_input(name: str, inputs: pa.Schema) -> Problem:
    near = difflib.get_close_matches(name, inputs.names, n=1)
    fix = f"did you mean {near[0]}? " if near else ""
    return Problem(
        code=SchemaMismatchError.code,
        message=f"the model has no input {name!r}",
        fix=f"{fix}its inputs: {', '.join(inputs.names)}",
        where=f"model.columns.{name}",
    )


def _convert(array: pa.Array, match: ColumnMatch, field: pa.Field) -> pa.Array:
    if match.cast is not None and match.cast != name_type(field.type):
        array = _cast(array, parse_type(match.cast), match.source)
    array = _cast(array, field.type, match.source)
    if (path := _first_null(array, field, match.source)) is not None:
        raise SchemaMismatchError(
            f"column {path!r} holds nulls, input {match.input!r} allows none",
            hint="fill them in the source, or filter them out under [source]",
        )
    return array


def _cast(array: pa.Array, dtype: pa.DataType, name: str) -> pa.Array:
    try:
        return cast_array(array, dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        first = str(error).strip().splitlines()[0]
        raise SchemaMismatchError(
            f"column {name!r} cannot become {name_type(dtype)} from {name_type(array.type)}: {first}",
            hint="choose a type that holds all values, or filter those rows out under [source]",
        ) from error


def _first_null(array: pa.Array, field: pa.Field, path: str) -> str | None:
    """The path of the first column, nested ones included, with nulls that ``field`` does not allow."""
    # null_count is not enough: it does not count nulls in categories and run ends.
    if not field.nullable and pc.any(pc.is_null(array)).as_py():
        return path
    if types.is_struct(field.type) and field.type.num_fields:
        # The children of a null struct are null, and not counted.
        children = pa.RecordBatch.from_arrays(array.flatten(), schema=pa.schema(list(field.type)))
        rows = select_rows(children, array.is_valid())
        found = (
            _first_null(child, inner, f"{path}.{inner.name}") for child, inner in zip(rows, field.type, strict=True)
        )
        return next((name for name in found if name), None)
    if any(is_list(field.type) for is_list in _LISTS):
        return _first_null(array.flatten(), field.type.value_field, f"{path}[]")
    return None
