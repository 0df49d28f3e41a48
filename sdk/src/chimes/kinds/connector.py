"""The interface of data connectors: list streams, divide a read into partitions, read rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field, JsonValue

from chimes.kinds.component import C, Component, Value
from chimes.kinds.predicates import Predicate
from chimes.kinds.schema import ArrowSchema, Batch

__all__ = ["DataConnector", "Partition", "ReadPlan", "ReadRequest", "StreamInfo"]


class StreamInfo(Value):
    """One stream of rows that a connector offers; estimates are None where unknown."""

    name: str
    arrow_schema: ArrowSchema
    primary_key: tuple[str, ...] = ()
    estimated_rows: int | None = None
    estimated_bytes: int | None = None


class ReadRequest(Value):
    """What to read: columns in the wanted order, filters (all must hold), and how to divide the read."""

    stream: str
    columns: tuple[str, ...] | None = None
    filters: tuple[Predicate, ...] = ()
    limit: int | None = Field(None, ge=0)
    partitions: int = Field(1, ge=1, description="How many partitions are wanted; a hint.")
    batch_rows: int = Field(65_536, ge=1)
    batch_bytes: int = Field(64 << 20, ge=1)
    snapshot: str | None = None


class Partition(Value):
    """A part of a read that any process can do by itself; ``token`` is the connector's own JSON, without secrets."""

    id: str
    token: JsonValue = None
    estimated_rows: int | None = None
    locality: tuple[str, ...] = ()


class ReadPlan(Value):
    """Exactly what ``read`` will yield (``arrow_schema``) and the disjoint, complete partitions.

    ``exact`` has one entry per filter of the request: True where the source applies it exactly. The
    host applies the others again. An empty ``exact`` means that no filter is exact.
    """

    arrow_schema: ArrowSchema
    partitions: tuple[Partition, ...] = Field(min_length=1)
    exact: tuple[bool, ...] = ()
    estimated_rows: int | None = None


class DataConnector(Component[C]):
    """A source of Arrow record batches, read in partitions by any number of processes."""

    api: ClassVar[str] = "chimes.connector/1"

    @abstractmethod
    def ping(self) -> None:
        """Return if the source can be reached with this configuration, within 30 s.

        Raises AuthError, NotFoundError, TransientError.
        """

    @abstractmethod
    def discover(self, pattern: str | None = None) -> Iterator[StreamInfo]:
        """The streams, sorted by name; ``pattern`` is a shell pattern (``*``, ``?``, ``[]``) on names."""

    @abstractmethod
    def plan(self, request: ReadRequest) -> ReadPlan:
        """Divide a read into partitions. Raises NotFoundError naming an unknown stream or column."""

    @abstractmethod
    def read(self, request: ReadRequest, partition: Partition) -> Iterator[Batch | Any]:
        """Yield the rows of one partition with exactly the planned schema.

        Works in another process or host, given only config, request and partition. A ``limit`` is a
        hint for each partition: yield at least min(limit, rows) rows; the host drops the rest.
        """
