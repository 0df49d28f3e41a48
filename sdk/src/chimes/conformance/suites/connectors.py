"""The checks of data connectors (D). The suite generates tables, and the harness stores them in the source."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import pyarrow as pa

from chimes.conformance.subject import ComponentSubject
from chimes.conformance.suites.check import ComponentCheck
from chimes.conformance.testdata.compare import count_rows, same_table
from chimes.conformance.testdata.filters import FilterCase, filter_cases, with_filter_rows, with_special_floats
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.kinds.connector import ReadRequest
from chimes.kinds.predicates import filter_batch
from chimes.rpc.proxies import ConnectorProxy, to_table

__all__ = ["D02", "D04", "D05", "D09", "D12"]


class ConnectorCheck(ComponentCheck):
    """A check of a connector whose harness seeds a source."""

    kind = "connector"
    seeded: ClassVar[bool] = True
    timeout_s = 60


class D02(ConnectorCheck):
    """Does discovery list each stream once, sorted, with its columns, and only streams that match the pattern?

    Three streams are seeded. ``discover`` must list each once, sorted by name, the same on every call, and with the
    columns of the stream's plan. With a shell pattern it must list exactly the streams whose names match.
    """

    code = "D02"
    source = "Singer discovery"

    def look(self, subject: ComponentSubject) -> Facts:
        names = [f"{prefix}_{subject.token('stream', prefix)[:8]}" for prefix in ("alpha", "beta", "gamma")]
        patterns = {sort: pattern.replace("NAME", names[1]) for sort, pattern in PATTERNS.items()}
        with subject.session(self.timeout_s) as session:
            connector, _, _ = subject.seeded(session, dict.fromkeys(names, 5))
            first, second = [connector.discover() for _ in range(2)]
            matched = {sort: [info.name for info in connector.discover(p)] for sort, p in patterns.items()}
            schemas = {info.name: info.arrow_schema for info in first if info.name in names}
            plans = {name: connector.plan(ReadRequest(stream=name)).arrow_schema for name in schemas}
        return {
            "seeded": names,
            "streams": [[info.name for info in infos] for infos in (first, second)],
            "patterns": patterns,
            "matched": matched,
            "untrue": [name for name in schemas if not _same_columns(schemas[name], plans[name])],
        }

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        first, second = facts["streams"]
        seeded = [name for name in first if name in facts["seeded"]]
        if first != second:
            yield self.finding("discover lists other streams, or another order, on a second call", "sort by name")
        elif seeded != sorted(seeded):
            yield self.finding("discover does not list the streams sorted by name", "sort by name")
        if len(set(first)) != len(first):
            yield self.finding("discover lists a stream twice", "list every name once")
        if set(facts["seeded"]) - set(first):
            yield self.finding("discover does not list a seeded stream", "list every stream")
        if facts["untrue"]:
            yield self.finding(
                "a discovered stream has other columns or types than its plan", "list the columns of the plan"
            )
        for sort, pattern in facts["patterns"].items():
            if sorted(facts["matched"][sort]) != sorted(name for name in first if fnmatch.fnmatchcase(name, pattern)):
                yield self.finding(
                    f"discover with a pattern that matches {sort} lists other streams", "match names with fnmatch"
                )


PATTERNS = {
    "a prefix": "alpha_*",
    "everything": "*_*",
    "nothing": "no_such_stream_*",
    "one name": "NAME",
    "one letter each": "?????_*",
    "a set of letters": "[ab]*",
    "other letter case": "BETA_*",
    "the beginning only": "beta",
    "only as a regular expression or with LIKE": "bet__*",
    "a part in the middle": "et",
}
"""Shell patterns by a description of what they match or must not match; NAME is the name of a stream."""


def _same_columns(left: pa.Schema, right: pa.Schema) -> bool:
    return bool(left.names == right.names and left.types == right.types)


class D04(ConnectorCheck):
    """Does every batch have exactly the planned schema, and the plan the requested columns?"""

    code = "D04"
    source = "ADBC: the schema is known before the data"

    def look(self, subject: ComponentSubject) -> Facts:
        """Whether schemas agree, for all columns and for some columns in another order, in small batches."""
        found = {}
        with subject.session(self.timeout_s) as session:
            connector, tables, _ = subject.seeded(session, {"orders": 41})
            names = tables["orders"].column_names
            for what, columns in (("all columns", None), ("a projection", tuple(reversed(names[1:] or names)))):
                request = ReadRequest(stream="orders", columns=columns, batch_rows=10, partitions=3)
                found[what] = _schema_facts(connector, request, list(columns or names))
        return found

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for what, read in facts.items():
            if not read["asked"]:
                yield self.finding(
                    f"the plan of a read of {what} has other columns than the request",
                    "plan the columns of the request, in its order",
                )
            elif not read["agree"]:
                yield self.finding(
                    f"batches of a read of {what} have another schema than its plan",
                    "plan exactly what read yields: names, order, types, nullability, metadata",
                )
            elif not read["rows"]:
                yield self.finding(f"a read of {what} returns no rows", "read the stream that was planned")


def _schema_facts(connector: ConnectorProxy, request: ReadRequest, names: list[str]) -> Facts:
    plan = connector.plan(request)
    batches = [batch for partition in plan.partitions for batch in connector.read(request, partition)]
    return {
        "asked": plan.arrow_schema.names == names,
        "agree": all(batch.schema.equals(plan.arrow_schema, check_metadata=True) for batch in batches),
        "rows": sum(batch.num_rows for batch in batches),
    }


class D05(ConnectorCheck):
    """Does a full read return exactly the seeded rows?

    Every type that the harness claims is compared value by value, to the last bit, and the rows as a multiset: read at
    once, and again in small batches and several partitions. The values include nulls, long text, NaN, the infinities
    and minus zero, and one row occurs twice.
    """

    code = "D05"
    source = "ADBC ingest and select, per type"

    def look(self, subject: ComponentSubject) -> Facts:
        """For each read: whether its columns agree, its rows, the types whose values changed."""
        requests = (
            ReadRequest(stream="ledger"),
            ReadRequest(stream="ledger", batch_rows=10, partitions=3),
        )
        with subject.session(self.timeout_s) as session:
            connector, tables, _ = subject.seeded(session, {"ledger": 83}, change=with_special_floats)
            found = [
                _compared(tables["ledger"], connector.read_table(request, connector.plan(request)))
                for request in requests
            ]
        return {"reads": found}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        for what, read in zip(("a full read", "a full read in small batches"), facts["reads"], strict=True):
            if found := self.difference(what, read):
                return [found]
        return []

    def difference(self, what: str, read: Facts) -> Finding | None:
        """The finding of one read, if it differs from the seeded rows."""
        put, got = read["rows"]
        if not read["columns"]:
            return self.finding(f"{what} has other columns than the seeded stream", "read every column")
        if put != got:
            return self.finding(
                f"{what} returns {'fewer' if got < put else 'more'} rows than were stored in the source",
                "read every row once",
                said=f"{put} rows were stored, {got} were read",
            )
        if read["types"]:
            kinds = ", ".join(dict.fromkeys(map(_family, read["types"])))
            return self.finding(
                f"values of these types are changed by {what}: {kinds}",
                "read them without loss, or remove them from the harness's types",
                said=", ".join(read["types"])[:2000],
            )
        if not read["whole"]:
            return self.finding(f"{what} joins values of different rows", "keep the values of a row together")
        return None


def _compared(seeded: pa.Table, got: pa.Table) -> Facts:
    if got.column_names != seeded.column_names:
        return {"columns": False, "rows": [seeded.num_rows, got.num_rows], "types": [], "whole": False}
    wrong = [
        str(seeded.schema.field(name).type)
        for name in seeded.column_names
        if not same_table(seeded.select([name]), got.select([name]))
    ]
    return {
        "columns": True,
        "rows": [seeded.num_rows, got.num_rows],
        "types": wrong,
        "whole": not wrong and same_table(seeded, got),
    }


class D09(ConnectorCheck):
    """Does every filter keep each matching row, and drop all others if the plan declares it exact?

    The filters use the seeded values, including nulls (a comparison with null is not true): each operation on each type
    that can be compared, several filters combined, and one on a column that is not read. Filters that the plan declares
    exact must return exactly the rows that the SDK's own filter returns. Others may return more rows of the source, but
    no row twice.
    """

    code = "D09"
    source = "DataFusion: exact and inexact filter pushdown"

    def look(self, subject: ComponentSubject) -> Facts:
        """For each case: missing rows, rows that do not match, rows that are not in the source."""
        with subject.session(self.timeout_s) as session:
            connector, tables, _ = subject.seeded(session, {"events": 51}, change=with_filter_rows)
            table = tables["events"]
            found = [_compare_filter(connector, table, case) for case in filter_cases(table)]
        return {"filter_cases": found}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        cases = facts["filter_cases"]
        if lost := [item for item in cases if item["lost"]]:
            yield self.finding(
                f"filters lose rows for which they are true: {_names(lost)}", "keep every such row, or do not filter"
            )
        if extra := [item for item in cases if item["exact"] and item["extra"] and not item["lost"]]:
            yield self.finding(
                f"filters that are declared exact return rows that do not match: {_names(extra)}",
                "apply them, or leave them to the host: exact=False",
            )
        if foreign := [item for item in cases if item["foreign"]]:
            yield self.finding(
                f"filters return rows twice, or rows that are not in the source: {_names(foreign)}",
                "return each row of the source at most once",
            )
        if any(item["claims"] not in (0, item["filters"]) for item in cases):
            yield self.finding(
                "a plan's exact does not have one entry for each filter", "write one for each filter, or leave it empty"
            )


def _family(name: str) -> str:
    """A type without its parameters: names of fields are the plugin's text."""
    return re.split(r"[<\[(]", name, maxsplit=1)[0]


def _names(items: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(f"{item['name']} on {item['type']}" for item in items))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _compare_filter(connector: ConnectorProxy, table: pa.Table, case: FilterCase) -> Facts:
    request = ReadRequest(stream="events", columns=case.columns, filters=case.filters, batch_rows=16)
    plan = connector.plan(request)
    got = count_rows(connector.read_table(request, plan))
    batch = table.to_batches()[0]
    for predicate in case.filters:
        batch = filter_batch(batch, predicate)
    columns = list(case.columns or table.column_names)
    want = count_rows(pa.Table.from_batches([batch]).select(columns))
    types = {_family(str(table.schema.field(name).type)) for name in case.filter_columns}
    return {
        "name": case.name,
        "type": " and ".join(sorted(types)),
        "filters": len(case.filters),
        "claims": len(plan.exact),
        "exact": plan.exact == (True,) * len(case.filters),
        "lost": _size(want - got),
        "extra": _size(got - want),
        "foreign": _size(got - count_rows(table.select(columns))),
    }


def _size(rows: Counter[str]) -> int:
    return sum(rows.values())


class D12(ConnectorCheck):
    """Can each partition be read in another process, with only the configuration, the request and the partition?

    That process has other folders for temporary files, cache and artifacts, as in a cluster.
    """

    code = "D12"
    source = "ADBC ExecutePartitions"

    def look(self, subject: ComponentSubject) -> Facts:
        """The rows that differ if each partition is read in a fresh process."""
        # The rows cannot be divided evenly by the partitions, because the remainder is easily lost.
        request = ReadRequest(stream="parts", partitions=4)
        with subject.session(self.timeout_s) as session:
            connector, tables, config = subject.seeded(session, {"parts": 57})
            plan = connector.plan(request)
        batches: list[pa.RecordBatch] = []
        for number, partition in enumerate(plan.partitions):
            with subject.session(self.timeout_s) as session:
                session.do("move", name=f"elsewhere-{subject.token('D12', number)}")
                batches += ConnectorProxy(session, subject.name, config).read(request, partition)
        seeded, got = count_rows(tables["parts"]), count_rows(to_table(batches, plan.arrow_schema))
        return {"lost": _size(seeded - got), "extra": _size(got - seeded)}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        if facts["lost"] or facts["extra"]:
            what = [verb for verb, key in (("lose rows", "lost"), ("repeat or add rows", "extra")) if facts[key]]
            yield self.finding(
                f"partitions read in fresh processes {' and '.join(what)}",
                "put all that read needs into the partition's token, not into a file; partitions must not overlap",
                said=f"{facts['lost']} rows lost, {facts['extra']} added",
            )
