"""Broken entry modules and models."""

from __future__ import annotations

from journeys.conformance.broken_edits import Broken

__all__ = ["ENTRIES", "MODELS"]

IMPORT = "from chimes import Registration, hookimpl\n"
SCORE = "        score = pc.add(pc.multiply(x, self.config.weight), y)\n"
RETURN = "        return pa.RecordBatch.from_arrays([score, pc.greater(score, 0.0)], schema=OUTPUTS)\n"
COLUMNS = "        x, y = batch.column(0), batch.column(1)\n"
SIGNATURE = "Signature(inputs=INPUTS, outputs=OUTPUTS)"
HIGH = 'pa.field("high", pa.bool_(), nullable=False)'
DEVICE = '        if device != Device("cpu"):\n'
CONFIG = "class StrictConfig(Config):\n"
IMPORT_FIELD = ("from pydantic import Field", "from pydantic import model_validator, Field")


def _entry(check: str, summary: str, old: str, new: str) -> Broken:
    return Broken(check, "model", summary, (("plugin", old, new),))


def _at_import(check: str, summary: str, code: str) -> Broken:
    return _entry(check, summary, IMPORT, f"{IMPORT}\n{code}\n")


def _model(check: str, summary: str, *changes: tuple[str, str]) -> Broken:
    return Broken(check, "model", summary, tuple(("model", old, new) for old, new in changes))


def _nested(dtype: str, default: str) -> str:
    """A configuration with a nested mapping."""
    part = "from pydantic import BaseModel\n\nclass Part(BaseModel):\n    count: int = 1\n\n"
    return f'{part}{CONFIG}    part: {dtype} = Field({default}, description="A part.")\n'


def _before(check: str, summary: str, key: str) -> Broken:
    """A configuration that changes each ``key`` before it is validated."""
    validator = '    @model_validator(mode="before")\n    @classmethod\n    def change(cls, values):\n'
    lines = f"{CONFIG}{validator}        return {{{key}: value for key, value in values.items()}}\n\n"
    return _model(check, summary, (CONFIG, lines), IMPORT_FIELD)


def _predict(check: str, summary: str, code: str) -> Broken:
    """More code after the computation of the score."""
    lines = "".join(f"        {line}\n" for line in code.splitlines())
    return _model(check, summary, (SCORE, SCORE + lines))


ENTRIES = (
    _entry("S01", "a hook returns a mapping", "        Registration(", "        dict("),
    _entry("S01", "a hook returns no registration", "    return [", "    return [][:0] and ["),
    _entry("S01", "declares a capability that does not exist", 'api="chimes', 'capabilities=("fast",), api="chimes'),
    _entry("S01", "declares the interface of another kind", 'api="chimes.model/1"', 'api="chimes.backend/1"'),
    _at_import("S01", "its entry module raises", "raise RuntimeError('not today')"),
    _entry("S05", "its target is not a model", 'model:StrictModel"', 'model:Config"'),
    _entry("S05", "its harness does not exist", "harness:StrictModels", "harness:NoModels"),
    _entry("S05", "its harness has no cases", "harness:StrictModels", "harness:Case"),
    _model("S05", "its predict cannot be called", (RETURN, f"{RETURN}\n    predict = None\n")),
    _model("S05", "its describe needs an instance", ("    @classmethod\n", "")),
    _model("S05", "it has no load method", ("    def load(self,", "    def loads(self,")),
    _entry("S05", "its target is a function", 'model:StrictModel"', 'model:Field"'),
    _at_import("S08", "imports numpy by importlib", "import importlib\nimportlib.import_module('numpy')"),
    _at_import("S08", "imports a third-party package", "import rich"),
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
    _at_import(
        "S09", "sets a variable in the environment of the C library", "import os\nos.putenv('OMP_NUM_THREADS', '1')"
    ),
    _at_import("S09", "sets an alarm", "import signal\nsignal.alarm(1000)"),
    _at_import("S09", "adds a logging filter", "import logging\nlogging.getLogger().addFilter(lambda record: False)"),
    _at_import("S09", "sets a trace function", "import sys\nsys.settrace(lambda *a: None)"),
    _at_import("S09", "sets a profile function", "import sys\nsys.setprofile(lambda *a: None)"),
    _at_import("S09", "raises the recursion limit", "import sys\nsys.setrecursionlimit(5000)"),
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
    _before("S02", "converts its keys to lower case", "key.lower()"),
    _before("S02", "strips underscores from its keys", 'key.rstrip("_")'),
    _model("S02", "ignores unknown keys in a nested mapping", (CONFIG, _nested("Part", "Part()"))),
    _model(
        "S02",
        "ignores unknown keys in an optional mapping",
        (CONFIG, _nested("Part | None", "None")),
    ),
    _predict("S22", "writes into the home folder", 'open("/root/.strict", "w").close()'),
    _predict("S22", "writes into /tmp", 'open("/tmp/strict-was-here", "w").close()'),
    _predict(
        "S22",
        "opens a UDP socket and ignores the error",
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
        "requires at least nine rows and at most eight",
        (SIGNATURE, 'Signature(inputs=INPUTS, outputs=OUTPUTS, batch={"min_rows": 9, "max_rows": 8})'),
    ),
    _model("M04", "raises another error", ("DeviceUnavailableError(f", "InvalidStateError(f")),
    _model("M04", "loads on the CPU instead of CUDA", (DEVICE, '        if device.kind not in ("cpu", "cuda"):\n')),
    _model(
        "M04",
        "refuses only devices with high numbers",
        (DEVICE, '        if device.index > 8 or device.kind == "x":\n'),
    ),
    _model(
        "M07", "returns the columns in another order", (RETURN, RETURN.replace("OUTPUTS)", "OUTPUTS).select([1, 0])"))
    ),
    _model("M07", "returns float32", (RETURN, f'{RETURN.rstrip()}.set_column(0, "score", score.cast("float32"))\n')),
    _model("M07", "adds a column", (RETURN, f'{RETURN.rstrip()}.append_column("more", score)\n')),
    _predict(
        "M07",
        "returns a null in batches of more than 100 rows",
        "if len(score) > 100:\n    score = pa.array([None, *score[1:]])",
    ),
    _model(
        "M07",
        "returns nulls in a struct field that is not nullable",
        (HIGH, 'pa.field("high", pa.struct([pa.field("a", pa.int64(), nullable=False)]))'),
        (
            RETURN,
            RETURN.replace("pc.greater(score, 0.0)", 'pa.array([{"a": None}] * len(score), OUTPUTS.field(1).type)'),
        ),
    ),
    _predict(
        "M07",
        "returns a null in batches of more than 256 rows",
        "if len(score) > 256:\n    score = pa.array([None, *score[1:]])",
    ),
    _predict("M08", "drops equal rows", "score = pc.unique(score)"),
    _predict("M08", "sorts by the score", "score = score.take(pc.sort_indices(score))"),
    _predict("M08", "loses the last row", "score = score[:-1] if len(score) > 1 else score"),
    _model(
        "M09",
        "returns columns of type null for no rows",
        (SCORE, '        if not len(x):\n            return pa.record_batch({"score": [], "high": []})\n' + SCORE),
    ),
    _predict("M09", "raises for no rows", "score[0].as_py()"),
    _predict(
        "M11", "subtracts the batch's first value", "score = pc.subtract(score, score[0]) if len(score) else score"
    ),
    _predict("M11", "ranks within the batch", 'score = pc.rank(score).cast("float64")'),
    _predict("M11", "counts its calls", "self.loaded += 1\nscore = pc.add(score, float(self.loaded))"),
    _predict(
        "M11",
        "changes its values after eleven calls",
        "self.loaded += 1\nscore = pc.add(score, 1.0) if self.loaded > 11 else score",
    ),
    _predict(
        "M11", "changes the value in a batch of one row", "score = pc.add(score, 1.0) if len(score) == 1 else score"
    ),
    _model(
        "M11",
        "subtracts the mean of a batch with a fixed size",
        (SIGNATURE, 'Signature(inputs=INPUTS, outputs=OUTPUTS, batch={"min_rows": 8, "max_rows": 8})'),
        (SCORE, SCORE + "        score = pc.subtract(score, pc.mean(score)) if len(score) else score\n"),
    ),
    _predict(
        "M11",
        "returns infinity for the first row",
        "score = pa.array([float('inf'), *score.to_pylist()[1:]]) if len(score) else score",
    ),
    _predict(
        "M14",
        "changes only its last input value",
        "import ctypes\nif len(y):\n    ctypes.memset(y.buffers()[1].address + 8 * (y.offset + len(y) - 1), 1, 8)",
    ),
    _predict(
        "M14",
        "writes into the previous batch",
        "import ctypes\nlast, self.last = getattr(self, 'last', None), x\n"
        "if last:\n    ctypes.memset(last.buffers()[1].address + 8 * last.offset, 1, 8)",
    ),
    _predict(
        "M14",
        "scales its input in place",
        "import ctypes\nfor i in range(len(x)):\n"
        "    cell = ctypes.c_double.from_address(x.buffers()[1].address + 8 * (x.offset + i))\n"
        "    cell.value *= 2",
    ),
)
