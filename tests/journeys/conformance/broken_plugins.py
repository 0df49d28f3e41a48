"""Broken connectors and backends, and the table of all broken plugins, which differ from the gate's mutants."""

from __future__ import annotations

from journeys.conformance.broken_edits import Broken
from journeys.conformance.broken_models import ENTRIES, MODELS

__all__ = ["BROKEN", "Broken"]

BATCHES = "        for batch in rows.to_batches(max_chunksize=request.batch_rows):\n"
YIELD = "            yield from self.project(pa.Table.from_batches([kept]), request).to_batches()"
MATCH = "fnmatch.fnmatchcase(path.stem, pattern)"
FILTER = "                kept = filter_batch(kept, predicate)\n"
TABLE = "            return reader.read_all().combine_chunks()"
STATUS = "        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n"
CANCEL = "        jobfolder.request_cancel(self.folder(handle), grace_s=grace_s)\n"
DIGEST = "        digest = job.sha256()\n"
LOGS = "        data, size = jobfolder.read_logs(self.folder(handle), stream, offset=offset, limit_bytes=limit_bytes)\n"


def _connector(check: str, summary: str, *changes: tuple[str, str]) -> Broken:
    return Broken(check, "connector", summary, tuple(("connector", old, new) for old, new in changes))


def _backend(check: str, summary: str, *changes: tuple[str, str]) -> Broken:
    return Broken(check, "backend", summary, tuple(("backend", old, new) for old, new in changes))


def _column(check: str, summary: str, index: int, code: str) -> Broken:
    """A connector that replaces the values of one ``column`` with ``code``."""
    lines = (
        f"            table = reader.read_all().combine_chunks()\n            column = table.column({index})\n"
        f"            return table.set_column({index}, table.schema.field({index}), {code})"
    )
    return _connector(
        check, summary, (TABLE, lines), ("import pyarrow as pa\n", "import pyarrow as pa\nimport pyarrow.compute\n")
    )


def _filter(check: str, summary: str, code: str) -> Broken:
    """More code before a ``predicate`` is applied to the rows ``kept``."""
    lines = "".join(f"                {line}\n" for line in code.splitlines())
    return _connector(check, summary, (FILTER, lines + FILTER))


def _statuses(check: str, summary: str, change: str) -> Broken:
    """A backend that replaces each status ``s`` with ``change``."""
    more = ("JobHandle, JobSpec, JobStatus,", "JobHandle, JobSpec, JobState, JobStatus,")
    lines = STATUS.replace("return", "found =") + f"        return [{change} for s in found]\n"
    return _backend(check, summary, (STATUS, lines), more)


CONNECTORS = (
    _connector(
        "D02",
        "lists the streams in reverse order",
        ("in sorted(Path(", "in reversed(sorted(Path("),
        ('"*.arrow")):', '"*.arrow"))):'),
    ),
    _connector("D02", "lists a stream twice", ('.glob("*.arrow")):', '.glob("*.arrow")) * 2:')),
    _connector("D02", "ignores letter case", (MATCH, "fnmatch.fnmatchcase(path.stem.lower(), pattern.lower())")),
    _connector("D02", "matches prefixes", (MATCH, 'path.stem.startswith(pattern.strip("*"))')),
    _connector("D02", "matches as SQL's LIKE", (MATCH, 'fnmatch.fnmatchcase(path.stem, pattern.replace("_", "?"))')),
    _connector(
        "D02",
        "describes every column as text",
        ("arrow_schema=table.schema,", "arrow_schema=pa.schema([(name, pa.string()) for name in table.column_names]),"),
    ),
    _connector(
        "D04",
        "plans every column as not nullable",
        ("ReadPlan(arrow_schema=schema,", "ReadPlan(arrow_schema=pa.schema([f.with_nullable(False) for f in schema]),"),
    ),
    _connector(
        "D04",
        "keeps the order of the source",
        (
            "table.select(list(request.columns))",
            "table.select([n for n in table.column_names if n in request.columns])",
        ),
    ),
    _connector(
        "D04",
        "returns another type in partitions after the first",
        (
            YIELD,
            "            for found in self.project(pa.Table.from_batches([kept]), request).to_batches():\n"
            "                if start:\n"
            "                    found = found.set_column(0, found.schema.names[0], pa.nulls(found.num_rows))\n"
            "                yield found",
        ),
    ),
    _connector(
        "D05",
        "loses the end of the last batch",
        (
            BATCHES,
            BATCHES + "            if request.batch_rows == 10 and batch.num_rows < 10:\n                continue\n",
        ),
    ),
    _connector(
        "D05",
        "repeats a row where partitions meet",
        (".slice(start, stop - start)", ".slice(max(0, start - 1), stop - start + (start > 0))"),
    ),
    _column("D05", "strips text", 2, "pa.compute.utf8_trim_whitespace(column)"),
    _column("D05", "rounds to float32", 1, "column.cast(pa.float32()).cast(pa.float64())"),
    _column("D05", "turns nulls into zeros", 0, "column.fill_null(0)"),
    _column(
        "D05", "cuts nanoseconds", 9, "column.cast(pa.timestamp('us', column.type.tz), safe=False).cast(column.type)"
    ),
    _column("D05", "sorts a column by itself", 0, "column.take(pa.compute.sort_indices(column))"),
    _column("D05", "cuts text", 2, "pa.compute.utf8_slice_codeunits(column, 0, 100)"),
    _column(
        "D05",
        "turns NaN into null",
        1,
        "pa.compute.if_else(pa.compute.is_nan(column), pa.scalar(None, column.type), column)",
    ),
    _column("D05", "turns minus zero into zero", 1, "pa.compute.add(column, 0.0)"),
    _connector(
        "D05",
        "drops equal rows",
        (
            TABLE,
            "            table = reader.read_all().combine_chunks()\n"
            "            rows = {str(row): number for number, row in enumerate(table.to_pylist())}\n"
            "            return table.take(list(rows.values())).combine_chunks()",
        ),
    ),
    _filter("D09", "keeps nulls for ne", "if predicate.op == 'ne':\n    continue"),
    _filter(
        "D09",
        "treats le as lt",
        "if predicate.op == 'le':\n    predicate = predicate.model_copy(update={'op': 'lt'})",
    ),
    _filter(
        "D09",
        "ignores the last value of a list",
        "if predicate.op == 'in':\n    predicate = predicate.model_copy(update={'values': predicate.values[:-1]})",
    ),
    _filter(
        "D09", "claims that an or filter is exact, and does not apply it", "if predicate.op == 'or':\n    continue"
    ),
    _filter(
        "D09",
        "ignores filters on columns that are not read",
        "names = request.columns or kept.schema.names\n"
        "if getattr(predicate, 'column', names[0]) not in names:\n    continue",
    ),
    _filter(
        "D09",
        "ignores letter case in starts_with",
        "if predicate.op == 'starts_with':\n"
        "    texts = map(str, kept.column(predicate.column).to_pylist())\n"
        "    kept = kept.filter(pa.array([t.lower().startswith(predicate.prefix.lower()) for t in texts]))\n"
        "    continue",
    ),
    _connector(
        "D09",
        "applies the first of two filters",
        ("for predicate in request.filters:", "for predicate in request.filters[:1]:"),
    ),
    _connector("D12", "lets partitions overlap", ("token=[a, b])", "token=[max(0, a - 1), b])")),
    _connector(
        "D12", "loses the remainder of the rows", ("table.num_rows * i // count", "table.num_rows // count * i")
    ),
    _connector(
        "D12",
        "keeps the ranges in memory",
        ("        start, stop = token\n", "        start, stop = self.ranges[token[0]]\n"),
        (
            "        schema = self.project(",
            "        self.ranges = {part.token[0]: part.token for part in parts}\n        schema = self.project(",
        ),
    ),
    _connector(
        "D12",
        "keeps the ranges in a file",
        (
            "        schema = self.project(",
            "        self.context.tmp.joinpath('ranges').write_text(' '.join(map(str, edges)))\n"
            "        parts = [Partition(id=str(i)) for i in range(count)]\n        schema = self.project(",
        ),
        (
            "        start, stop = token\n",
            "        edges = [int(n) for n in self.context.tmp.joinpath('ranges').read_text().split()]\n"
            "        start, stop = edges[int(partition.id)], edges[int(partition.id) + 1]\n",
        ),
    ),
)
BACKENDS = (
    _statuses(
        "B02",
        "reports success before the end",
        "s if s.state.is_final else s.model_copy(update={'state': JobState.SUCCEEDED, 'exit_code': 0})",
    ),
    _statuses("B02", "reports no exit code", "s.model_copy(update={'exit_code': s.exit_code or None})"),
    _backend("B02", "cuts the log", (LOGS, LOGS + "        data, size = data[: max(0, 65536 - offset)], 65536\n")),
    _backend(
        "B02",
        "mixes the streams",
        (
            LOGS,
            LOGS + "        data += jobfolder.read_logs(self.folder(handle), 'stderr', offset=0, limit_bytes=99)[0]\n",
        ),
    ),
    _statuses(
        "B03",
        "reports every end as a success",
        "s.model_copy(update={'state': JobState.SUCCEEDED}) if s.exit_code else s",
    ),
    _statuses("B03", "reports every exit code as 3", "s.model_copy(update={'exit_code': s.exit_code and 3})"),
    _statuses("B03", "reports no reason", "s.model_copy(update={'reason': None})"),
    _backend(
        "B05",
        "keeps logs in its memory",
        (LOGS, LOGS + "        data = data if getattr(self, 'mine', '') else b''\n"),
        (DIGEST, DIGEST + "        self.mine = key\n"),
    ),
    _backend("B09", "compares only the command", (DIGEST, "        digest = JobSpec(command=job.command).sha256()\n")),
    _backend(
        "B09",
        "runs it again under the same handle",
        (
            DIGEST,
            DIGEST + "        again = ['/bin/sh', '-c', '\"$@\" >/dev/null 2>&1 &', '-', *job.command]\n"
            "        run(again, env=dict(job.env), timeout_s=5)\n",
        ),
    ),
    _backend(
        "B12",
        "raises for a job that has ended",
        (
            CANCEL,
            "        if read_status(self.folder(handle))['state'] in FINAL_STATES:\n"
            f"            raise ValueError('too late')\n{CANCEL}",
        ),
    ),
    _backend("B12", "kills at once", (CANCEL, CANCEL.replace("grace_s=grace_s", "grace_s=0"))),
)

BROKEN = (*ENTRIES, *MODELS, *CONNECTORS, *BACKENDS)
