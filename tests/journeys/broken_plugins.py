"""Plugins that break a rule in other ways than the mutants do: edits of the strict reference plugins, by check."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.conformance.mutants import Edit
from chimes.registration import Kind

__all__ = ["BROKEN", "Broken"]


@dataclass(frozen=True)
class Broken:
    """What is wrong, the check that must notice, and the edits ``(file, old, new)`` of the strict plugin."""

    check: str
    kind: Kind
    summary: str
    changes: tuple[tuple[str, str, str], ...]

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits as the suite's own mutants have them."""
        return tuple(Edit(f"{file}.py", old, new) for file, old, new in self.changes)


IMPORT = "from chimes import Registration, hookimpl\n"
SCORE = "        score = pc.add(pc.multiply(x, self.config.weight), y)\n"
RETURN = "        return pa.RecordBatch.from_arrays([score, pc.greater(score, 0.0)], schema=OUTPUTS)\n"
COLUMNS = "        x, y = batch.column(0), batch.column(1)\n"
SIGNATURE = "Signature(inputs=INPUTS, outputs=OUTPUTS)"
HIGH = 'pa.field("high", pa.bool_(), nullable=False)'
DEVICE = '        if device != Device("cpu"):\n'
CONFIG = "class StrictConfig(Config):\n"
BATCHES = "        for batch in rows.to_batches(max_chunksize=request.batch_rows):\n"
YIELD = "            yield from self.project(pa.Table.from_batches([kept]), request).to_batches()"
MATCH = "fnmatch.fnmatchcase(path.stem, pattern)"
FILTER = "                kept = filter_batch(kept, predicate)\n"
TABLE = "            return reader.read_all().combine_chunks()"
STATUS = "        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n"
CANCEL = "        jobfolder.request_cancel(self.folder(handle), grace_s=grace_s)\n"
DIGEST = "        digest = job.sha256()\n"
LOGS = "        data, size = jobfolder.read_logs(self.folder(handle), stream, offset=offset, limit_bytes=limit_bytes)\n"


def _entry(check: str, summary: str, old: str, new: str) -> Broken:
    return Broken(check, "model", summary, (("plugin", old, new),))


def _at_import(check: str, summary: str, code: str) -> Broken:
    return _entry(check, summary, IMPORT, f"{IMPORT}\n{code}\n")


def _model(check: str, summary: str, *changes: tuple[str, str]) -> Broken:
    return Broken(check, "model", summary, tuple(("model", old, new) for old, new in changes))


def _predict(check: str, summary: str, code: str) -> Broken:
    """Other code between the score and the answer."""
    lines = "".join(f"        {line}\n" for line in code.splitlines())
    return _model(check, summary, (SCORE, SCORE + lines))


def _connector(check: str, summary: str, *changes: tuple[str, str]) -> Broken:
    return Broken(check, "connector", summary, tuple(("connector", old, new) for old, new in changes))


def _backend(check: str, summary: str, *changes: tuple[str, str]) -> Broken:
    return Broken(check, "backend", summary, tuple(("backend", old, new) for old, new in changes))


def _column(check: str, summary: str, index: int, code: str) -> Broken:
    """``code`` is what becomes of the values of one ``column``."""
    lines = (
        f"            table = reader.read_all().combine_chunks()\n            column = table.column({index})\n"
        f"            return table.set_column({index}, table.schema.field({index}), {code})"
    )
    return _connector(
        check, summary, (TABLE, lines), ("import pyarrow as pa\n", "import pyarrow as pa\nimport pyarrow.compute\n")
    )


def _filter(check: str, summary: str, code: str) -> Broken:
    """Other code before a ``predicate`` is applied to the rows ``kept``."""
    lines = "".join(f"                {line}\n" for line in code.splitlines())
    return _connector(check, summary, (FILTER, lines + FILTER))


def _statuses(check: str, summary: str, change: str) -> Broken:
    """``change`` is what becomes of each status ``s``."""
    more = ("JobHandle, JobSpec, JobStatus,", "JobHandle, JobSpec, JobState, JobStatus,")
    lines = STATUS.replace("return", "found =") + f"        return [{change} for s in found]\n"
    return _backend(check, summary, (STATUS, lines), more)


ENTRIES = (
    _entry("S01", "a hook gives a mapping", "        Registration(", "        dict("),
    _entry("S01", "a hook gives nothing", "    return [", "    return [][:0] and ["),
    _entry("S01", "declares a capability that does not exist", 'api="chimes', 'capabilities=("fast",), api="chimes'),
    _entry("S01", "registers under another kind's interface", 'api="chimes.model/1"', 'api="chimes.backend/1"'),
    _at_import("S01", "its entry module raises", "raise RuntimeError('not today')"),
    _entry("S05", "its target is no model", 'model:StrictModel"', 'model:Config"'),
    _entry("S05", "its harness is not there", "harness:StrictModels", "harness:NoModels"),
    _entry("S05", "its harness has no cases", "harness:StrictModels", "harness:Case"),
    _model("S05", "its predict is nothing that can be called", (RETURN, f"{RETURN}\n    predict = None\n")),
    _model("S05", "its describe needs an instance", ("    @classmethod\n", "")),
    _model("S05", "its load is not written", ("    def load(self,", "    def loads(self,")),
    _entry("S05", "its target is a function", 'model:StrictModel"', 'model:Field"'),
    _at_import("S08", "imports numpy in a helper", "import importlib\nimportlib.import_module('numpy')"),
    _at_import("S08", "imports a package of somebody else", "import rich"),
    _at_import("S08", "imports a model class", "from chimes import Model"),
    _at_import(
        "S09",
        "starts a thread",
        "from threading import Event, Thread\nThread(target=Event().wait, daemon=True).start()",
    ),
    _at_import("S09", "changes the environment", "import os\nos.environ['OMP_NUM_THREADS'] = '1'"),
    _at_import("S09", "configures logging", "import logging\nlogging.basicConfig()"),
    _at_import("S09", "handles a signal", "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)"),
    _at_import("S09", "runs a program", "import subprocess\nsubprocess.run(['true'])"),
    _at_import("S09", "sets the locale", "import locale\nlocale.setlocale(locale.LC_ALL, 'C')"),
    _at_import("S09", "sets a variable that only C sees", "import os\nos.putenv('OMP_NUM_THREADS', '1')"),
    _at_import("S09", "sets an alarm", "import signal\nsignal.alarm(1000)"),
    _at_import("S09", "filters what is logged", "import logging\nlogging.getLogger().addFilter(lambda record: False)"),
    _at_import("S09", "traces", "import sys\nsys.settrace(lambda *a: None)"),
    _at_import("S09", "profiles", "import sys\nsys.setprofile(lambda *a: None)"),
    _at_import("S09", "recurses deeper", "import sys\nsys.setrecursionlimit(5000)"),
    _at_import("S09", "limits open files", "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))"),
    _at_import("S09", "silences warnings", "import warnings\nwarnings.simplefilter('ignore')"),
    _at_import("S09", "replaces a built-in name", "import builtins\nbuiltins.print = len"),
)
MODELS = (
    _model("S02", "accepts unknown keys and keeps them", (CONFIG, CONFIG + '    model_config = {"extra": "allow"}\n')),
    _model(
        "S02",
        "refuses unknown keys with another error",
        (
            CONFIG,
            CONFIG + "    @classmethod\n    def model_validate(cls, values):\n"
            '        if set(values) - {"weight"}:\n            raise KeyError("unknown")\n'
            "        return super().model_validate(values)\n\n",
        ),
    ),
    _predict("S22", "writes into the home folder", 'open("/root/.strict", "w").close()'),
    _predict("S22", "writes into /tmp", 'open("/tmp/strict-was-here", "w").close()'),
    _predict(
        "S22",
        "opens a UDP socket and swallows the error",
        "import socket\ntry:\n    socket.socket(type=socket.SOCK_DGRAM).close()\nexcept OSError:\n    pass",
    ),
    _model("M02", "names a column twice", (HIGH, HIGH.replace("high", "score"))),
    _model("M02", "has no outputs", (SIGNATURE, "Signature(inputs=INPUTS, outputs=pa.schema([]))")),
    _model(
        "M02",
        "hides a tensor without dimensions in a list",
        (HIGH, 'pa.field("high", pa.list_(pa.fixed_shape_tensor(pa.float32(), [0, 2])))'),
    ),
    _model(
        "M02",
        "wants at least nine rows and at most eight",
        (SIGNATURE, 'Signature(inputs=INPUTS, outputs=OUTPUTS, batch={"min_rows": 9, "max_rows": 8})'),
    ),
    _model("M04", "raises another error", ("DeviceUnavailableError(f", "InvalidStateError(f")),
    _model("M04", "falls back where CUDA is asked for", (DEVICE, '        if device.kind not in ("cpu", "cuda"):\n')),
    _model(
        "M04",
        "refuses only numbers that no machine has",
        (DEVICE, '        if device.index > 8 or device.kind == "x":\n'),
    ),
    _model(
        "M07", "gives the columns in another order", (RETURN, RETURN.replace("OUTPUTS)", "OUTPUTS).select([1, 0])"))
    ),
    _model("M07", "gives float32", (RETURN, f'{RETURN.rstrip()}.set_column(0, "score", score.cast("float32"))\n')),
    _model("M07", "adds a column", (RETURN, f'{RETURN.rstrip()}.append_column("more", score)\n')),
    _predict("M07", "forgets a value in big batches", "if len(score) > 100:\n    score = pa.array([None, *score[1:]])"),
    _model(
        "M07",
        "gives nulls inside a struct that allows none",
        (HIGH, 'pa.field("high", pa.struct([pa.field("a", pa.int64(), nullable=False)]))'),
        (
            RETURN,
            RETURN.replace("pc.greater(score, 0.0)", 'pa.array([{"a": None}] * len(score), OUTPUTS.field(1).type)'),
        ),
    ),
    _predict("M08", "drops equal rows", "score = pc.unique(score)"),
    _predict("M08", "sorts by the score", "score = score.take(pc.sort_indices(score))"),
    _predict("M08", "loses the last row", "score = score[:-1] if len(score) > 1 else score"),
    _model(
        "M09",
        "gives columns of nothing for no rows",
        (SCORE, '        if not len(x):\n            return pa.record_batch({"score": [], "high": []})\n' + SCORE),
    ),
    _predict("M09", "raises for no rows", "score[0].as_py()"),
    _predict(
        "M11", "subtracts the batch's first value", "score = pc.subtract(score, score[0]) if len(score) else score"
    ),
    _predict("M11", "ranks within the batch", 'score = pc.rank(score).cast("float64")'),
    _predict("M11", "counts its calls", "self.loaded += 1\nscore = pc.add(score, float(self.loaded))"),
    _predict("M11", "squeezes a batch of one row", "score = pc.add(score, 1.0) if len(score) == 1 else score"),
    _model(
        "M11",
        "subtracts the mean, of a static shape",
        (SIGNATURE, 'Signature(inputs=INPUTS, outputs=OUTPUTS, batch={"min_rows": 8, "max_rows": 8})'),
        (SCORE, SCORE + "        score = pc.subtract(score, pc.mean(score)) if len(score) else score\n"),
    ),
    _predict(
        "M11",
        "overflows for whoever is first",
        "score = pa.array([float('inf'), *score.to_pylist()[1:]]) if len(score) else score",
    ),
    _predict(
        "M14",
        "changes only its last input value",
        "import ctypes\nif len(y):\n    ctypes.memset(y.buffers()[1].address + 8 * (y.offset + len(y) - 1), 1, 8)",
    ),
    _predict(
        "M14",
        "scales its input in place",
        "import ctypes\nfor i in range(len(x)):\n"
        "    cell = ctypes.c_double.from_address(x.buffers()[1].address + 8 * (x.offset + i))\n"
        "    cell.value *= 2",
    ),
)
CONNECTORS = (
    _connector(
        "D02",
        "gives the streams in reverse order",
        ("in sorted(Path(", "in reversed(sorted(Path("),
        ('"*.arrow")):', '"*.arrow"))):'),
    ),
    _connector("D02", "gives a stream twice", ('.glob("*.arrow")):', '.glob("*.arrow")) * 2:')),
    _connector("D02", "ignores letter case", (MATCH, "fnmatch.fnmatchcase(path.stem.lower(), pattern.lower())")),
    _connector("D02", "matches beginnings", (MATCH, 'path.stem.startswith(pattern.strip("*"))')),
    _connector("D02", "matches as SQL's LIKE", (MATCH, 'fnmatch.fnmatchcase(path.stem, pattern.replace("_", "?"))')),
    _connector(
        "D02",
        "describes every column as text",
        ("arrow_schema=table.schema,", "arrow_schema=pa.schema([(name, pa.string()) for name in table.column_names]),"),
    ),
    _connector(
        "D04",
        "plans that nothing is null",
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
        "gives another type in partitions after the first",
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
    _filter("D09", "keeps nulls where a value differs", "if predicate.op == 'ne':\n    continue"),
    _filter(
        "D09",
        "takes le for lt",
        "if predicate.op == 'le':\n    predicate = predicate.model_copy(update={'op': 'lt'})",
    ),
    _filter(
        "D09",
        "forgets the last value of a list",
        "if predicate.op == 'in':\n    predicate = predicate.model_copy(update={'values': predicate.values[:-1]})",
    ),
    _filter("D09", "calls or exact and does not apply it", "if predicate.op == 'or':\n    continue"),
    _filter(
        "D09",
        "looks only at columns that are read",
        "names = request.columns or kept.schema.names\n"
        "if getattr(predicate, 'column', names[0]) not in names:\n    continue",
    ),
    _filter(
        "D09",
        "begins with a letter of any case",
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
    _connector("D12", "forgets what is left over", ("table.num_rows * i // count", "table.num_rows // count * i")),
    _connector(
        "D12",
        "keeps the ranges to itself",
        ("        start, stop = token\n", "        start, stop = self.ranges[token[0]]\n"),
        (
            "        schema = self.project(",
            "        self.ranges = {part.token[0]: part.token for part in parts}\n        schema = self.project(",
        ),
    ),
)
BACKENDS = (
    _statuses(
        "B02",
        "says that it succeeded before it ended",
        "s if s.state.is_final else s.model_copy(update={'state': JobState.SUCCEEDED, 'exit_code': 0})",
    ),
    _statuses("B02", "does not know the exit code", "s.model_copy(update={'exit_code': s.exit_code or None})"),
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
        "takes every end for a success",
        "s.model_copy(update={'state': JobState.SUCCEEDED}) if s.exit_code else s",
    ),
    _statuses("B03", "gives no reason", "s.model_copy(update={'reason': None})"),
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
        "raises where a job has ended",
        (
            CANCEL,
            "        if read_status(self.folder(handle))['state'] in FINAL_STATES:\n"
            f"            raise ValueError('too late')\n{CANCEL}",
        ),
    ),
    _backend("B12", "kills at once", (CANCEL, CANCEL.replace("grace_s=grace_s", "grace_s=0"))),
)

BROKEN = (*ENTRIES, *MODELS, *CONNECTORS, *BACKENDS)
