"""What is asked of data connectors (D). The suite makes tables, the harness puts them into the source."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.types as pt

from chimes.checks.check import Facts, Finding
from chimes.conformance.compare import count_rows, same_table
from chimes.conformance.conformancecheck import ComponentCheck
from chimes.conformance.proxies import ConnectorProxy, to_table
from chimes.conformance.subject import ComponentSubject
from chimes.kinds.connector import ReadRequest
from chimes.kinds.predicates import Any as AnyOf
from chimes.kinds.predicates import Compare, In, IsNull, Not, Predicate, StartsWith, filter_batch

__all__ = ["D02", "D04", "D05", "D09", "D12"]


class ConnectorCheck(ComponentCheck):
    """A check of a connector whose harness seeds a source."""

    kind = "connector"
    seeded: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 60


class D02(ConnectorCheck):
    """Is discovery deterministic, unique and obedient to its pattern?

    Three streams are seeded. ``discover`` must give each once, the same on every call, and with a shell
    pattern exactly those whose names match.
    """

    code = "D02"
    anchor = "Singer discovery"

    def look(self, subject: ComponentSubject) -> Facts:
        """What is discovered, twice in all and once for each pattern."""
        names = [f"{prefix}_{subject.token('stream', prefix)[:8]}" for prefix in ("alpha", "beta", "gamma")]
        patterns = ["alpha_*", "*_*", "no_such_stream_*", names[1]]
        with subject.session(self.timeout_s) as session:
            connector, _, _ = subject.seeded(session, dict.fromkeys(names, 5))
            streams = [[info.name for info in connector.discover()] for _ in range(2)]
            matched = {pattern: [info.name for info in connector.discover(pattern)] for pattern in patterns}
        return {"seeded": names, "streams": streams, "matched": matched}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Missing, repeated, changing or wrongly matched streams."""
        first, second = facts["streams"]
        if first != second:
            yield self.finding("discover gives other streams, or another order, on a second call", "sort by name")
        if len(set(first)) != len(first):
            yield self.finding("discover gives a stream twice", "give every name once")
        if set(facts["seeded"]) - set(first):
            yield self.finding("discover does not give a stream that was put there", "list every stream")
        for number, (pattern, found) in enumerate(facts["matched"].items()):
            if sorted(found) != sorted(name for name in first if fnmatch.fnmatchcase(name, pattern)):
                sort = ("a prefix", "everything", "nothing", "one name")[number]
                yield self.finding(
                    f"discover with a pattern that matches {sort} gives other streams", "match names with fnmatch"
                )


class D04(ConnectorCheck):
    """Has every batch exactly the planned schema, metadata included?"""

    code = "D04"
    anchor = "ADBC: the schema is known before the data"

    def look(self, subject: ComponentSubject) -> Facts:
        """Whether schemas agree, for all columns and for some in another order."""
        with subject.session(self.timeout_s) as session:
            connector, tables, _ = subject.seeded(session, {"orders": 41})
            names = tables["orders"].column_names
            wrong = [
                columns
                for columns in (None, tuple(reversed(names)))
                if not _schemas_agree(connector, ReadRequest(stream="orders", columns=columns, batch_rows=10))
            ]
        return {"wrong": ["all columns" if columns is None else "a projection" for columns in wrong]}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """One finding for each sort of read."""
        for what in facts["wrong"]:
            yield self.finding(
                f"batches of a read of {what} have another schema than its plan",
                "plan exactly what read yields: names, order, types, nullability, metadata",
            )


def _schemas_agree(connector: ConnectorProxy, request: ReadRequest) -> bool:
    plan = connector.plan(request)
    batches = [batch for partition in plan.partitions for batch in connector.read(request, partition)]
    return all(batch.schema.equals(plan.arrow_schema, check_metadata=True) for batch in batches)


class D05(ConnectorCheck):
    """Does a full read give exactly the seeded rows?

    Every type that the harness claims is read back on its own and compared value by value, nulls and the
    last bit included, as a multiset of rows.
    """

    code = "D05"
    anchor = "ADBC ingest and select, per type"

    def look(self, subject: ComponentSubject) -> Facts:
        """The types whose values came back changed, and lost or invented rows."""
        with subject.session(self.timeout_s) as session:
            connector, tables, _ = subject.seeded(session, {"ledger": 83})
            seeded = tables["ledger"]
            request = ReadRequest(stream="ledger")
            got = connector.read_table(request, connector.plan(request))
        if got.column_names != seeded.column_names:
            return {"columns": False, "rows": [0, 0], "types": []}
        wrong = [
            str(seeded.schema.field(name).type)
            for name in seeded.column_names
            if not same_table(seeded.select([name]), got.select([name]))
        ]
        return {"columns": True, "rows": [seeded.num_rows, got.num_rows], "types": wrong}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Columns, rows, or values."""
        put, got = facts["rows"]
        if not facts["columns"]:
            yield self.finding("a full read has other columns than the stream that was seeded", "read every column")
        elif put != got:
            yield self.finding(f"{put} rows were put into the source, a full read gives {got}", "read every row once")
        elif facts["types"]:
            kinds = ", ".join(dict.fromkeys(map(_family, facts["types"])))
            yield self.finding(
                f"values of these types come back changed: {kinds}",
                "carry them without loss, or do not claim them in the harness's types",
                said=", ".join(facts["types"])[:2000],
            )


class D09(ConnectorCheck):
    """Does every filter keep each row that it must, and drop the others where it claims to be exact?

    Predicates over the seeded values, nulls included (a comparison with null is not true). A filter that
    the plan calls exact must give exactly the rows that the SDK's own filter gives; another may give more.
    """

    code = "D09"
    anchor = "DataFusion: exact and inexact filter pushdown"

    def look(self, subject: ComponentSubject) -> Facts:
        """For each predicate: rows lost, and rows that an exact filter left in."""
        found = []
        with subject.session(self.timeout_s) as session:
            connector, tables, _ = subject.seeded(session, {"events": 61})
            table = tables["events"].combine_chunks()
            for predicate in _predicates(table):
                found.append(_try(connector, table, predicate))
        return {"predicates": found}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Lost rows, and false claims."""
        lost = [item for item in facts["predicates"] if item["lost"]]
        extra = [item for item in facts["predicates"] if item["exact"] and item["extra"] and not item["lost"]]
        if lost:
            yield self.finding(
                f"filters lose rows for which they are true: {_names(lost)}", "keep every such row, or do not filter"
            )
        if extra:
            yield self.finding(
                f"filters that are called exact let other rows through: {_names(extra)}",
                "apply them, or leave them to the host: exact=False",
            )


def _family(name: str) -> str:
    """A type without what stands in its brackets: names of fields are the plugin's."""
    return re.split(r"[<\[(]", name, maxsplit=1)[0]


def _names(items: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(f"{item['op']} on {_family(item['type'])}" for item in items))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _try(connector: ConnectorProxy, table: pa.Table, predicate: Predicate) -> dict[str, Any]:
    request = ReadRequest(stream="events", filters=(predicate,))
    plan = connector.plan(request)
    got = count_rows(connector.read_table(request, plan))
    batch = table.to_batches()[0]
    want = count_rows(pa.Table.from_batches([filter_batch(batch, predicate)]))
    column = getattr(predicate, "column", None)
    return {
        "op": predicate.op,
        "type": str(table.schema.field(column).type) if column else "several columns",
        "exact": plan.exact == (True,),
        "lost": _size(want - got),
        "extra": _size(got - want),
    }


def _size(rows: Counter[str]) -> int:
    return sum(rows.values())


def _predicates(table: pa.Table) -> list[Predicate]:
    found: list[Predicate] = []
    for name in table.column_names:
        column = table.column(name)
        literal = _literal(column)
        if literal is None:
            found.append(IsNull(column=name))
            continue
        found += [Compare(op=op, column=name, value=literal) for op in ("eq", "ne", "lt", "le", "gt", "ge")]
        found += [In(column=name, values=(literal,)), IsNull(column=name), Not(arg=IsNull(column=name))]
        if isinstance(literal, str):
            found.append(StartsWith(column=name, prefix=literal[:1]))
        found.append(AnyOf(args=(IsNull(column=name), Compare(op="gt", column=name, value=literal))))
    return found


def _literal(column: pa.ChunkedArray) -> bool | int | float | str | None:
    # The middle value, so that each comparison keeps some rows and drops some.
    comparable = pt.is_integer(column.type) or pt.is_float64(column.type) or pt.is_string(column.type)
    values = sorted(value for value in column.to_pylist() if value is not None) if comparable else []
    middle: bool | int | float | str | None = values[len(values) // 2] if values else None
    return middle


class D12(ConnectorCheck):
    """Can each partition be read in another process, from configuration, request and partition alone?"""

    code = "D12"
    anchor = "ADBC ExecutePartitions"

    def look(self, subject: ComponentSubject) -> Facts:
        """The union of partitions that were each read in a fresh process."""
        request = ReadRequest(stream="parts", partitions=3)
        with subject.session(self.timeout_s) as session:
            connector, tables, config = subject.seeded(session, {"parts": 57})
            plan = connector.plan(request)
        batches: list[pa.RecordBatch] = []
        for partition in plan.partitions:
            with subject.session(self.timeout_s) as session:
                batches += ConnectorProxy(session, subject.name, config).read(request, partition)
        seeded, got = count_rows(tables["parts"]), count_rows(to_table(batches, plan.arrow_schema))
        return {"lost": _size(seeded - got), "extra": _size(got - seeded)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        """Rows lost or repeated."""
        if facts["lost"] or facts["extra"]:
            yield self.finding(
                f"partitions read in fresh processes lose {facts['lost']} rows and add {facts['extra']}",
                "put all that read needs into the partition's token",
            )
