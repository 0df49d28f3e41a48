"""Checks that a file has the planned columns, and builds batches of exactly the planned schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
from chimes.errors import NotFoundError, SchemaMismatchError, UnsupportedError

__all__ = ["check_columns", "check_declared", "check_schema", "conform", "project", "with_keys"]

_REPLAN = "plan again, or give every file of the stream the same columns"


def project(schema: pa.Schema, columns: Sequence[str] | None, stream: str) -> pa.Schema:
    """``schema`` with the requested columns, in that order. Raises NotFoundError naming an unknown one."""
    if columns is None:
        return schema
    if not columns:
        raise UnsupportedError("the list of columns is empty", hint="leave `columns` out to read all of them")
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        there = ", ".join(schema.names)
        raise NotFoundError(f"stream {stream!r} has no column {unknown[0]!r}", hint=f"columns: {there}")
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UnsupportedError(f"column {twice[0]!r} is requested twice", hint="name each column once")
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


def with_keys(path: str, schema: pa.Schema, keys: Sequence[pa.Field]) -> pa.Schema:
    """``schema`` of the file ``path`` followed by the columns of its folders' names."""
    check_columns(path, schema.names, schema.names)
    for key in keys:
        if key.name in schema.names:
            raise SchemaMismatchError(
                f"column {key.name!r} is in {path} and in the name of its folder",
                hint='rename one of them, or set `partitioning` to "none"',
            )
        schema = schema.append(key)
    return schema


def check_declared(path: str, schema: pa.Schema, declared: Mapping[str, pa.DataType]) -> None:
    """Raise SchemaMismatchError for a declared column that the stream lacks or, in a typed format, has as another."""
    for name, dtype in declared.items():
        if name not in schema.names:
            raise SchemaMismatchError(
                f"`schema` declares a column {name!r}, which {path} does not have",
                hint=f"columns: {', '.join(schema.names)}",
            )
        if schema.field(name).type != dtype:
            raise SchemaMismatchError(
                f"column {name!r} of {path} has type {schema.field(name).type}, but `schema` declares {dtype}",
                hint="Parquet and Arrow IPC files have their own types; cast the column in the pipeline",
            )


def check_columns(path: str, planned: Sequence[str], found: Sequence[str]) -> None:
    """Raise SchemaMismatchError naming ``path`` and the first column that is missing, unknown or duplicated."""
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise SchemaMismatchError(f"{path} has two columns called {twice[0]!r}", hint="rename one of them")
    present = set(found)
    for name in planned:
        if name not in present:
            raise SchemaMismatchError(f"{path} has no column {name!r}, which was planned", hint=_REPLAN)
    expected = set(planned)
    for name in found:
        if name not in expected:
            raise SchemaMismatchError(f"{path} has a column {name!r}, which was not planned", hint=_REPLAN)


def check_schema(path: str, planned: pa.Schema, found: pa.Schema) -> None:
    """Raise SchemaMismatchError naming ``path`` and the first column that differs; order and metadata may."""
    check_columns(path, planned.names, found.names)
    for field in planned:
        other = found.field(field.name)
        if other.type != field.type:
            raise SchemaMismatchError(
                f"column {field.name!r} of {path} has type {other.type}, but {field.type} was planned", hint=_REPLAN
            )
        if other.nullable and not field.nullable:
            raise SchemaMismatchError(
                f"column {field.name!r} of {path} may be null, but was planned as not null", hint=_REPLAN
            )


def conform(path: str, columns: Mapping[str, pa.Array], planned: pa.Schema) -> pa.RecordBatch:
    """The planned columns as a batch of exactly the planned schema, its values validated.

    Raises SchemaMismatchError naming ``path`` and column where an array has another type, has a null in a column
    without nulls, or has values that its type forbids (text that is not UTF-8, offsets out of range).
    """
    for field in planned:
        array = columns[field.name]
        if array.type != field.type:
            raise SchemaMismatchError(
                f"column {field.name!r} of {path} has type {array.type}, but {field.type} was planned", hint=_REPLAN
            )
        if array.null_count and not field.nullable:
            raise SchemaMismatchError(
                f"column {field.name!r} of {path} holds null, but was planned as not null", hint="correct the file"
            )
        try:
            array.validate(full=True)
        except pa.ArrowInvalid as error:
            raise SchemaMismatchError(
                f"column {field.name!r} of {path} is damaged: {error}", hint="write the file again"
            ) from error
    return pa.RecordBatch.from_arrays([columns[name] for name in planned.names], schema=planned)
