"""Which Arrow columns make up which tensor: the file's inputs and outputs, combined with the configuration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from chimes.errors import ConfigError, UnsupportedError

from chimes_onnx.config import Columns, OnnxConfig

__all__ = ["Layout", "Port", "read_layout"]

MOST = (1 << 31) - 1
"""How many elements a row, and how many rows a fixed batch, can have: Arrow counts them in 32 bits."""
ELEMENTS = {
    "tensor(bool)": pa.bool_(),
    "tensor(int8)": pa.int8(),
    "tensor(int16)": pa.int16(),
    "tensor(int32)": pa.int32(),
    "tensor(int64)": pa.int64(),
    "tensor(uint8)": pa.uint8(),
    "tensor(uint16)": pa.uint16(),
    "tensor(uint32)": pa.uint32(),
    "tensor(uint64)": pa.uint64(),
    "tensor(float16)": pa.float16(),
    "tensor(float)": pa.float32(),
    "tensor(double)": pa.float64(),
    "tensor(string)": pa.string(),
}


@dataclass(frozen=True)
class Port:
    """One input or output of the file: ``shape`` is that of one row, ``columns`` what it is made of.

    ``split``: each column is one element of the row's vector; otherwise the only column is the row.
    """

    name: str
    element: pa.DataType
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    split: bool

    @property
    def fields(self) -> list[pa.Field]:
        """The Arrow fields of the columns, none of them nullable."""
        return [pa.field(column, self.column_type, nullable=False) for column in self.columns]

    @property
    def column_type(self) -> pa.DataType:
        """The element's type, a fixed-size list of it, or ``arrow.fixed_shape_tensor``."""
        if self.split or not self.shape:
            return self.element
        if len(self.shape) == 1:
            return pa.list_(pa.field("item", self.element, nullable=False), self.shape[0])
        return pa.fixed_shape_tensor(self.element, self.shape)


@dataclass(frozen=True)
class Layout:
    """All tensors of a file; ``rows`` is how many rows the file takes at a time, None for any number."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    rows: int | None

    @property
    def input_schema(self) -> pa.Schema:
        """The columns that ``predict`` takes."""
        return pa.schema([field for port in self.inputs for field in port.fields])

    @property
    def output_schema(self) -> pa.Schema:
        """The columns that ``predict`` gives."""
        return pa.schema([field for port in self.outputs for field in port.fields])


def read_layout(config: OnnxConfig, inputs: Iterable[Any], outputs: Iterable[Any]) -> Layout:
    """Combine what onnxruntime reports of the file (name, type, shape of each tensor) with the configuration.

    Raises ConfigError where the configuration names a tensor that the file lacks, or columns that do
    not fill one; UnsupportedError for a tensor without rows, of unknown or impossible size, or of an unknown type.
    """
    nodes_in = {node.name: node for node in inputs}
    adjustable = frozenset(size for node in nodes_in.values() for size in node.shape if isinstance(size, str))
    nodes_out = {node.name: node for node in outputs}
    _check_names("input", config.inputs, nodes_in)
    _check_names("output", config.outputs, nodes_out)
    ports_in = tuple(_input_port(node, config.inputs.get(node.name, node.name)) for node in nodes_in.values())
    wanted = config.outputs or {name: name for name in nodes_out}
    ports_out = tuple(_output_port(nodes_out[name], columns, adjustable) for name, columns in wanted.items())
    if not ports_in:
        raise UnsupportedError("the file has no inputs, so it has no rows", hint="export a model that takes a batch")
    for ports in (ports_in, ports_out):
        _check_unique([column for port in ports for column in port.columns])
    return Layout(ports_in, ports_out, _fixed_rows(nodes_in.values()))


def _check_names(what: str, given: Mapping[str, Columns], known: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(f"the file has no {what} {name!r}", hint=f"its {what}s: {', '.join(known) or 'none'}")


def _check_unique(columns: list[str]) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigError(f"column {column!r} is named twice", hint="give each tensor columns of its own")


def _fixed_rows(nodes: Iterable[Any]) -> int | None:
    sizes = {node.name: node.shape[0] for node in nodes if isinstance(node.shape[0], int)}
    for name, size in sizes.items():
        if not 0 < size <= MOST:
            raise UnsupportedError(
                f"input {name!r} takes batches of {size} rows", hint="export the model with a named batch dimension"
            )
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise UnsupportedError(
            f"the inputs take different numbers of rows ({found})", hint="export the model with one batch dimension"
        )
    return next(iter(sizes.values()), None)


def _element(node: Any, what: str) -> pa.DataType:
    if node.type in ELEMENTS:
        return ELEMENTS[node.type]
    hint = "export the model with tensors of numbers, booleans or strings"
    # Only a ZipMap operator gives a sequence of maps; no option of the converter helps with other types.
    if what == "output" and node.type.startswith("seq(map("):
        hint = "export the classifier without ZipMap (skl2onnx: options={'zipmap': False})"
    raise UnsupportedError(f"{what} {node.name!r} has type {node.type}, which has no Arrow column here", hint=hint)


def _input_port(node: Any, columns: Columns) -> Port:
    element = _element(node, "input")
    if not node.shape:
        raise UnsupportedError(
            f"input {node.name!r} has no row dimension", hint="export the model with a batch dimension on each input"
        )
    adjustable = frozenset(size for size in node.shape if isinstance(size, str))
    return _port(f"input {node.name!r}", "inputs", node, element, columns, adjustable)


def _output_port(node: Any, columns: Columns, adjustable: frozenset[str]) -> Port:
    element = _element(node, "output")
    # onnxruntime reports a scalar like an unknown shape; a list of columns gives the shape of the rows.
    if not node.shape and not isinstance(columns, str):
        return Port(node.name, element, (len(columns),), columns, split=True)
    if not node.shape:
        raise UnsupportedError(
            f"the file does not say what shape output {node.name!r} has",
            hint=f"list its columns under outputs, for example {node.name} = ['{node.name}']",
        )
    return _port(f"output {node.name!r}", "outputs", node, element, columns, adjustable)


def _port(
    what: str, section: str, node: Any, element: pa.DataType, columns: Columns, adjustable: frozenset[str]
) -> Port:
    sizes = node.shape[1:]
    _check_sizes(what, sizes)
    if isinstance(columns, str):
        shape = _known(what, section, sizes, adjustable)
        return Port(node.name, element, shape, (columns,), split=shape in ((), (1,)))
    if len(sizes) > 1:
        raise ConfigError(
            f"{what} has shape {_shape(node.shape)}: one column of tensors, not a list of columns",
            hint=f"write {node.name} = '{columns[0]}' under {section}",
        )
    count = sizes[0] if sizes else 1
    if isinstance(count, int) and count != len(columns):
        raise ConfigError(
            f"{what} has {count} elements in each row, {len(columns)} columns are listed",
            hint=f"list {count} columns for {node.name} under {section}",
        )
    return Port(node.name, element, (len(columns),) if sizes else (), columns, split=True)


def _check_sizes(what: str, sizes: list[Any]) -> None:
    known = [size for size in sizes if isinstance(size, int)]
    count = math.prod(known)
    if count == 0:
        raise UnsupportedError(
            f"{what} has rows without elements, {_shape(sizes)}", hint="export the model without this tensor"
        )
    if count > MOST:
        raise UnsupportedError(
            f"{what} has rows of {count} elements, {_shape(sizes)}, more than a column of lists can hold",
            hint=f"export the model with rows of at most {MOST} elements",
        )


def _known(what: str, section: str, sizes: list[Any], adjustable: frozenset[str]) -> tuple[int, ...]:
    for size in sizes:
        if not isinstance(size, int):
            named = f"give {size!r} a size under dimensions"
            hints = [f"list its columns under {section}"] if len(sizes) == 1 else []
            hints += [named] if size in adjustable else []
            hint = ", or ".join(hints) or "export the model with fixed sizes"
            raise UnsupportedError(f"{what} has rows of unknown size {_shape(sizes)}", hint=hint)
    return tuple(sizes)


def _shape(sizes: list[Any]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in sizes)}]"
