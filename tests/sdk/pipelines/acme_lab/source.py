"""A source of rows 0, 1, 2, ... that applies filters exactly, partly or not at all, or fails."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa
from chimes.errors import NotFoundError, TransientError
from chimes.kinds.component import Config
from chimes.kinds.connector import DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.kinds.predicates import filter_batch
from pydantic import Field

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("a", pa.float64()),
        pa.field("b", pa.int32(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("seen", pa.timestamp("us", "UTC")),
    ]
)


class Celsius(pa.ExtensionType):  # type: ignore[misc]
    """A type of this plugin, registered when it is imported."""

    def __init__(self) -> None:
        super().__init__(pa.float64(), "acme.lab.celsius")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Celsius:
        return cls()


with contextlib.suppress(pa.ArrowKeyError):
    pa.register_extension_type(Celsius())

TYPED = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("heat", Celsius()),
        pa.field("key", pa.uuid()),
        pa.field("image", pa.fixed_shape_tensor(pa.int8(), (1, 2), permutation=[1, 0])),
        pa.field("keys", pa.list_(pa.uuid())),
    ]
)
STREAMS = {"numbers": SCHEMA, "typed": TYPED}
Behaviour = Literal[
    "good",
    "raises",
    "yields another type",
    "yields nothing planned",
    "plans otherwise",
    "is away",
    "fails to close",
    "fails to end",
]


class Vault(Config):
    """The default place of the keys."""

    key: str = "env:VAULT_KEY"


class NumbersConfig(Config):
    rows: int = 10
    batch_rows: int = 7
    exact: bool = True
    nulls: bool = False
    huge: bool = False
    behaviour: Behaviour = "good"
    secret: str | None = None
    vaults: dict[str, list[Vault]] | None = Field({"main": [Vault()]})
    opens_vaults: bool = False
    tell: str | None = None


class Numbers(DataConnector[NumbersConfig]):
    Config = NumbersConfig

    _has_read = False

    def ping(self) -> None:
        return

    def discover(self, pattern: str | None = None) -> Iterator[StreamInfo]:
        if fnmatch.fnmatch("numbers", pattern or "*"):
            yield StreamInfo(name="numbers", arrow_schema=SCHEMA, primary_key=("id",), estimated_rows=self.config.rows)

    def plan(self, request: ReadRequest) -> ReadPlan:
        if request.stream not in STREAMS:
            raise NotFoundError(f"there is no stream {request.stream!r}", hint="streams: numbers, typed")
        if self.config.behaviour == "is away":
            raise TransientError("the archive is away", hint="try again at noon")
        count = min(request.partitions, max(self.config.rows, 1))
        bounds = [self.config.rows * i // count for i in range(count + 1)]
        partitions = tuple(Partition(id=str(i), token=[bounds[i], bounds[i + 1]]) for i in range(count))
        schema = _select(STREAMS[request.stream], request)
        if self.config.behaviour == "plans otherwise" and request.columns:
            schema = pa.schema([field.with_nullable(False) for field in schema])
        exact = tuple(self.config.exact for _ in request.filters)
        return ReadPlan(arrow_schema=schema, partitions=partitions, exact=exact, estimated_rows=self.config.rows)

    def read(self, request: ReadRequest, partition: Partition) -> Iterator[pa.RecordBatch]:
        if self.config.tell:
            print(self.config.tell, flush=True)
        if self.config.secret:
            print(f"the secret has {len(self.context.secrets.resolve(self.config.secret))} letters", flush=True)
        for vault in (self.config.vaults or {})["main"] if self.config.opens_vaults else ():
            print(f"the vault's key has {len(self.context.secrets.resolve(vault.key))} letters", flush=True)
        bounds: Any = partition.token
        self._has_read = True
        try:
            yield from self._batches(request, *bounds)
        finally:
            if self.config.behaviour == "fails to end":
                raise OSError("the cursor does not close")

    def close(self) -> None:
        if self.config.behaviour == "fails to close" and self._has_read:
            raise SystemExit("the archive does not close")

    def _batches(self, request: ReadRequest, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        for first in range(start, stop, self.config.batch_rows):
            rows = range(first, min(first + self.config.batch_rows, stop))
            batch = self._rows(rows.start, rows.stop) if request.stream == "numbers" else _typed(rows)
            for predicate in request.filters if self.config.exact else ():
                batch = filter_batch(batch, predicate)
            yield self._answer(batch.select(_select(STREAMS[request.stream], request).names))
            if self.config.behaviour == "raises":
                raise OSError("the disk is gone")

    def _answer(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        match self.config.behaviour:
            case "yields another type":
                return pa.RecordBatch.from_pylist(batch.to_pylist())
            case "yields nothing planned":
                return batch.rename_columns([f"{name}_" for name in batch.schema.names])
        return batch

    def _rows(self, start: int, stop: int) -> pa.RecordBatch:
        def a(i: int) -> float | None:
            if self.config.huge:
                return 1e300
            return None if self.config.nulls and i % 3 == 0 else i / 2

        rows = [
            {"id": i, "a": a(i), "b": i % 100, "name": f"row {i}", "tags": ["odd"] * (i % 2), "seen": i}
            for i in range(start, stop)
        ]
        return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _typed(rows: range) -> pa.RecordBatch:
    keys = pa.array([i.to_bytes(16, "big") for i in rows], pa.binary(16))
    heat, image = ([None if i % 2 else value for i in rows] for value in (21.5, [1, 2]))
    columns = [rows, heat, keys, image, [[key.as_py()] for key in keys]]
    storage = [pa.int64(), pa.float64(), pa.binary(16), TYPED.field("image").type.storage_type, pa.list_(pa.binary(16))]
    arrays = [pa.array(values, dtype) for values, dtype in zip(columns, storage, strict=True)]
    return pa.RecordBatch.from_arrays(
        [array.cast(dtype) for array, dtype in zip(arrays, TYPED.types, strict=True)], schema=TYPED
    )


def _select(schema: pa.Schema, request: ReadRequest) -> pa.Schema:
    for name in request.columns or ():
        if name not in schema.names:
            raise NotFoundError(f"there is no column {name!r}", hint=f"columns: {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in request.columns or schema.names])
