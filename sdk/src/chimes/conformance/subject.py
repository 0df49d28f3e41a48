"""The subjects of conformance checks: one component in one case, or the import of a plugin's entry module."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from chimes.conformance.entry import Entry
from chimes.conformance.harness import Case
from chimes.conformance.options import Nonce
from chimes.conformance.testdata.generate import MOST_VALUES, random_batch, values_per_row
from chimes.kinds.descriptors import Kind
from chimes.kinds.model import ModelInfo
from chimes.registration import Registration
from chimes.rpc.children import Children, RemoteSession
from chimes.rpc.codec import batch_bytes
from chimes.rpc.failure import StepFailedError
from chimes.rpc.proxies import BackendProxy, ConnectorProxy, ModelProxy, expect
from chimes.sandbox import Event

__all__ = ["ComponentSubject", "EntrySubject"]


@dataclass(kw_only=True)
class EntrySubject:
    """The import of a plugin's entry module in a fresh process: its registrations, its events, or its failure.

    ``what``: the name of what was imported, for messages. ``readme``: the description in the distribution's metadata.
    """

    distribution: str
    top_levels: tuple[str, ...]
    entry: Entry
    events: tuple[Event, ...]
    failure: StepFailedError | None = None
    what: str = "the entry module"
    readme: str = ""
    inputs: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class ComponentSubject:
    """One component in one case; ``inputs`` collects the sha256 (hex) of every generated batch."""

    kind: Kind
    name: str
    distribution: str
    registration: Registration
    case: Case
    offers: frozenset[str]
    children: Children
    nonce: Nonce
    inputs: list[str] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the case."""
        return dict(self.case.config)

    @contextlib.contextmanager
    def session(self, timeout_s: float) -> Iterator[RemoteSession]:
        """A fresh process."""
        with self.children.session(timeout_s) as session:
            yield session

    def construct(self, session: RemoteSession, config: Mapping[str, Any] | None = None) -> None:
        """Construct the component, with another configuration if one is given. Raises StepFailedError."""
        config = self.config if config is None else dict(config)
        session.do("construct", kind=self.kind, name=self.name, config=config, label="component")

    def rng(self, *labels: object) -> random.Random:
        """The random generator of this component, case and purpose."""
        return self.nonce.rng(self.kind, self.name, self.case.name, *labels)

    def keep(self, *batches: pa.RecordBatch) -> None:
        """Add the digests of generated batches to ``inputs``."""
        self.inputs += [hashlib.sha256(batch_bytes(batch)).hexdigest() for batch in batches]

    def token(self, *labels: object) -> str:
        """A token that cannot be guessed."""
        return self.nonce.token(self.kind, self.name, self.case.name, *labels)

    # models

    @contextlib.contextmanager
    def model(self, timeout_s: float, device: Any = None) -> Iterator[tuple[ModelProxy, ModelInfo]]:
        """The model, constructed and described, and loaded where a device is given. Raises StepFailedError."""
        with self.session(timeout_s) as session:
            proxy = ModelProxy(session, self.name, self.config)
            info = proxy.describe()
            if device is not None:
                proxy.load(device)
            yield proxy, info

    def rows(self, session: RemoteSession, info: ModelInfo, wanted: int, label: str) -> pa.RecordBatch:
        """About ``wanted`` random input rows, fewer if they are large, within the model's batch limits.

        Raises StepFailedError, UnsupportedError.
        """
        limits = info.signature.batch
        fitting = max(1, MOST_VALUES // values_per_row(info.signature.inputs))
        count = min(max(min(wanted, fitting), limits.min_rows), limits.max_rows or wanted)
        rng = self.rng("rows", label, count)
        if "inputs" in self.offers:
            seed = rng.getrandbits(63)
            batch = session.do("inputs", kind=self.kind, name=self.name, case=asdict(self.case), seed=seed, rows=count)
            if expect("inputs", batch, pa.RecordBatch).num_rows != count:
                raise StepFailedError("inputs", answer="count", said=f"{batch.num_rows} rows, not {count}")
        else:
            batch = random_batch(info.signature.inputs, count, rng)
        self.keep(batch)
        return batch

    # connectors

    def claimed_types(self, session: RemoteSession) -> list[pa.DataType]:
        """The types that the harness claims. Raises StepFailedError."""
        claimed = session.do("types", kind=self.kind, name=self.name, case=asdict(self.case))
        return list(expect("types", claimed, pa.RecordBatch).schema.types)

    def tables(self, types: list[pa.DataType], rows: dict[str, int]) -> dict[str, pa.Table]:
        """One random table for each name, with a column ``c<i>`` for each type."""
        schema = pa.schema([(f"c{i}", dtype) for i, dtype in enumerate(types)])
        found = {}
        for name, count in rows.items():
            batch = random_batch(schema, count, self.rng("table", name, count))
            self.keep(batch)
            found[name] = pa.Table.from_batches([batch])
        return found

    def seeded(
        self, session: RemoteSession, rows: dict[str, int], *, change: Callable[[pa.Table], pa.Table] | None = None
    ) -> tuple[ConnectorProxy, dict[str, pa.Table], dict[str, Any]]:
        """A source filled with random tables: connector, tables, configuration. Raises StepFailedError.

        ``change`` is applied to each table first.
        """
        tables = self.tables(self.claimed_types(session), rows)
        if change is not None:
            tables = {name: change(table) for name, table in tables.items()}
            self.keep(*(table.to_batches()[0] for table in tables.values()))
        config = session.do("seed", kind=self.kind, name=self.name, case=asdict(self.case), tables=tables)
        expect("seed", config, dict)
        return ConnectorProxy(session, self.name, config), tables, config

    # backends

    @contextlib.contextmanager
    def backend(self, timeout_s: float) -> Iterator[BackendProxy]:
        """The backend. Raises StepFailedError."""
        with self.session(timeout_s) as session:
            yield BackendProxy(session, self.name, self.config)
