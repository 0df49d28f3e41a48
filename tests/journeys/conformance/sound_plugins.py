"""Correct plugins with other types, limits, orders and speeds than the strict plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from textwrap import indent

from chimes import __version__
from chimes.conformance.gate.mutants import Edit, strict_wheel
from chimes.environments.wheelfile import write_wheel
from chimes.kinds.descriptors import Kind

__all__ = ["SOUND", "Sound"]


@dataclass(frozen=True)
class Sound:
    """How a plugin differs from the strict ones, and a function that packs its wheel into a folder."""

    summary: str
    pack: Callable[[Path], Path]


PLUGIN = """
from chimes import Registration, hookimpl

@hookimpl
def chimes_models():
    return [Registration(name="sound", summary="Sound", target="acme_sound.model:Sound",
                         harness="acme_sound.harness:Harness", api="chimes.model/1")]
"""
MODEL = """
import time
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from chimes import Config, LoadReport, Model, ModelInfo, Signature
from chimes.errors import DeviceUnavailableError

INPUTS = pa.schema([{inputs}])
OUTPUTS = pa.schema([{outputs}])

class SoundConfig(Config):
    factor: float = Field(1.0, description="A factor.")

class Sound(Model[SoundConfig]):
    Config = SoundConfig

    @classmethod
    def describe(cls, config):
        return ModelInfo(signature=Signature(inputs=INPUTS, outputs=OUTPUTS, **{signature}))

    def load(self, device):
        if device.kind != "cpu":
            raise DeviceUnavailableError(f"no {{device}}", hint="use cpu")
        {load}
        return LoadReport(device=str(device))

    def predict(self, batch, *, params=None):
{predict}
        return pa.RecordBatch.from_arrays(columns, schema=OUTPUTS)
"""
CARD = "".join(
    f"{part}\n{'-' * len(part)}\n\nSound.\n\n"
    for part in ("Purpose", "Inputs", "Outputs", "Limits", "Known failures", "Contact", "Citation")
)
HARNESS = """
import pyarrow as pa
from chimes.conformance.harness import Case

class Harness:
    def cases(self, context):
        return [Case(), Case(name="other", config={"factor": 2.5})]
"""


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A model's schemas, the keywords of its signature, and its prediction: ``columns`` from ``batch``."""

    inputs: str
    outputs: str
    predict: str
    signature: Mapping[str, object] = field(default_factory=dict)
    load: str = "pass"
    harness: str = ""
    requires: tuple[str, ...] = ()

    def pack(self, folder: Path) -> Path:
        """The wheel."""
        model = MODEL.format(
            inputs=self.inputs,
            outputs=self.outputs,
            signature=dict(self.signature),
            load=self.load,
            predict=indent(self.predict, " " * 8),
        )
        texts = {"__init__": "", "plugin": PLUGIN, "model": model, "harness": HARNESS + self.harness}
        return write_wheel(
            folder,
            name="acme-sound",
            version="1.0",
            files={
                **{f"acme_sound/{name}.py": text.encode() for name, text in texts.items()},
                "acme_sound-1.0.dist-info/extra_metadata/CHANGELOG.md": b"Changes\n=======\n\n1.0\n---\n\n- All.\n",
            },
            readme=CARD,
            requires=(f"chimes=={__version__}", "pyarrow>=20", "numpy", *self.requires),
            entry_points={"chimes": {"sound": "acme_sound.plugin"}},
        )


def _edited(kind: Kind, *changes: tuple[str, str, str]) -> Callable[[Path], Path]:
    edits = tuple(Edit(f"{file}.py", old, new) for file, old, new in changes)
    return partial(_packed, kind, edits)


def _packed(kind: Kind, edits: tuple[Edit, ...], folder: Path) -> Path:
    return strict_wheel(kind, folder, edits)


CONFIG = "class StrictConfig(Config):\n"
ANY_KEYS = (
    CONFIG,
    "class Open(Config):\n    model_config = {'extra': 'allow'}\n    size: int = 1\n\n"
    "class Part(Config):\n    sizes: dict[str, int] = {}\n\n"
    + CONFIG
    + "    sizes: dict[str, int] = Field({'a': 1}, description='Sizes.')\n"
    "    either: Part | dict[str, dict[str, int]] = Field(Part(), description='A part, or sizes by two names.')\n"
    "    open: Open = Field(Open(), description='Options that are passed on.')\n"
    "    parts: list[Part] = Field([Part(sizes={'a': 1})], description='Parts.')\n",
)
MODELS = (
    Sound(
        "text with nulls in, large text and a dictionary out",
        _Model(
            inputs='("text", pa.string()), ("view", pa.string_view())',
            outputs='("upper", pa.large_string()), ("kind", pa.dictionary(pa.int32(), pa.string()))',
            predict="upper = pc.utf8_upper(batch.column(0)).cast(pa.large_string())\n"
            "kinds = pa.array([str(t)[:1] for t in batch.column(1).to_pylist()], pa.string())\n"
            "columns = [upper, kinds.dictionary_encode()]",
        ).pack,
    ),
    Sound("has configuration mappings with free keys", _edited("model", ("model", *ANY_KEYS))),
    Sound(
        "imports packages that test IPv6 and make a lock",
        _Model(
            inputs='("x", pa.float64())',
            outputs='("y", pa.float64())',
            load="import joblib, requests",
            predict="columns = [batch.column(0)]",
            requires=("joblib", "requests"),
        ).pack,
    ),
    Sound(
        "sorts the list of each row, in batches of exactly eight rows",
        _Model(
            inputs='("times", pa.list_(pa.float64()))',
            outputs='("sorted", pa.list_(pa.float64()))',
            signature={"batch": {"min_rows": 8, "max_rows": 8, "preferred_rows": 8}, "determinism": "bitwise"},
            predict="if batch.num_rows not in (0, 8):\n    raise ValueError(batch.num_rows)\n"
            "key = lambda value: (value is None, value or 0.0)\n"
            "rows = [None if row is None else sorted(row, key=key) for row in batch.column(0).to_pylist()]\n"
            "columns = [pa.array(rows, OUTPUTS.field(0).type)]",
        ).pack,
    ),
    Sound(
        "one tensor at a time",
        _Model(
            inputs='pa.field("image", pa.fixed_shape_tensor(pa.float32(), [2, 3]), nullable=False)',
            outputs='pa.field("half", pa.fixed_shape_tensor(pa.float32(), [2, 3]), nullable=False)',
            signature={"batch": {"max_rows": 1, "preferred_rows": 1}},
            predict="if batch.num_rows > 1:\n    raise ValueError(batch.num_rows)\n"
            "storage = batch.column(0).storage\n"
            "flat = pc.divide(storage.flatten(), pa.scalar(2, pa.float32()))\n"
            "half = pa.FixedSizeListArray.from_arrays(flat, type=storage.type)\n"
            "columns = [pa.ExtensionArray.from_storage(OUTPUTS.field(0).type, half)]",
        ).pack,
    ),
    Sound(
        "stochastic, with parameters",
        _Model(
            inputs='("x", pa.int16()), ("y", pa.bool_())',
            outputs='("noise", pa.float64())',
            signature={
                "determinism": "stochastic",
                "params": {"type": "object", "properties": {"spread": {"type": "number", "minimum": 0}}},
            },
            predict="columns = [pa.array(np.random.default_rng().normal(size=batch.num_rows))]",
        ).pack,
    ),
    Sound(
        "a matrix product in float32, whose sums depend on the batch's size; slow to load",
        _Model(
            inputs='*[pa.field(f"x{i}", pa.float32(), nullable=False) for i in range(30)]',
            outputs='*[pa.field(f"y{i}", pa.float32(), nullable=False) for i in range(4)]',
            signature={"rtol": 1e-4, "atol": 1e-2},
            load="time.sleep(1)",
            predict="x = np.stack([column.to_numpy() for column in batch.columns], axis=1)\n"
            "y = x @ np.arange(120, dtype=np.float32).reshape(30, 4)\n"
            "columns = [pa.array(y[:, i]) for i in range(4)]",
        ).pack,
    ),
    Sound(
        "a solver: whole instances from its harness, times with nulls, a map with NaN out",
        _Model(
            inputs='("start", pa.timestamp("ns", "Asia/Shanghai")), '
            '("jobs", pa.list_(pa.struct([("cost", pa.float64())])))',
            outputs='("start", pa.timestamp("ns", "Asia/Shanghai")), ("best", pa.map_(pa.string(), pa.float64()))',
            signature={"determinism": "bitwise"},
            predict="best = [[('cost', min((job['cost'] for job in jobs), default=float('nan')))]"
            " for jobs in batch.column(1).to_pylist()]\n"
            "columns = [batch.column(0), pa.array(best, OUTPUTS.field(1).type)]",
            harness="""
    def inputs(self, case, rng, rows):
        start = pa.array([None if rng.random() < 0.2 else rng.getrandbits(60) for _ in range(rows)], pa.int64())
        jobs = [[{"cost": rng.random()} for _ in range(rng.randrange(4))] for _ in range(rows)]
        types = pa.timestamp("ns", "Asia/Shanghai"), pa.list_(pa.struct([("cost", pa.float64())]))
        columns = [start.cast(types[0]), pa.array(jobs, types[1])]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema([("start", types[0]), ("jobs", types[1])]))
""",
        ).pack,
    ),
)
FILTERS = "            for predicate in request.filters:\n                kept = filter_batch(kept, predicate)\n"
YIELD = "            yield from self.project(pa.Table.from_batches([kept]), request).to_batches()"
TYPES = "pa.list_(pa.int32()),"
CONNECTORS = (
    Sound(
        "leaves every filter to the host",
        _edited(
            "connector", ("connector", FILTERS, ""), ("connector", "exact=(True,) * len(request.filters)", "exact=()")
        ),
    ),
    Sound(
        "returns empty batches, batches of another size, and always one partition",
        _edited(
            "connector",
            ("connector", "max_chunksize=request.batch_rows", "max_chunksize=7"),
            (
                "connector",
                YIELD,
                f"{YIELD}\n            nothing = self.project(rows, request).schema.empty_table()\n"
                "            yield pa.RecordBatch.from_pylist([], schema=nothing.schema)",
            ),
            ("connector", "min(request.partitions, table.num_rows)", "1"),
        ),
    ),
    Sound(
        "supports only text and whole numbers",
        _edited(
            "connector",
            (
                "harness",
                "        return [\n            pa.int64(),",
                "        return [pa.string(), pa.int64()]\n        [\n            pa.int64(),",
            ),
        ),
    ),
    Sound(
        "supports many more types",
        _edited(
            "connector",
            (
                "harness",
                TYPES,
                'pa.large_string(), pa.uint64(), pa.date64(), pa.time64("ns"), pa.duration("us"), pa.timestamp("s"),'
                " pa.decimal256(40, 8), pa.dictionary(pa.int32(), pa.string()), pa.string_view(), pa.float16(),"
                f' pa.map_(pa.string(), pa.timestamp("ns")), {TYPES}',
            ),
        ),
    ),
)
STATUS = "        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n"
BACKENDS = (
    Sound(
        "reports changes late, and returns logs in small pieces",
        _edited(
            "backend",
            (
                "backend",
                STATUS,
                STATUS.replace("return", "found =")
                + "        seen, self.seen = self.seen, self.seen | {h.key: s for h, s in zip(handles, found)}\n"
                "        return [seen.get(h.key, s.model_copy(update={'state': JobState.QUEUED,\n"
                "                'exit_code': None, 'reason': None, 'fault': None}))\n"
                "                for h, s in zip(handles, found)]\n",
            ),
            ("backend", "    Config = StrictConfig\n", "    Config = StrictConfig\n    seen = {}\n"),
            ("backend", "JobHandle, JobSpec, JobStatus,", "JobHandle, JobSpec, JobState, JobStatus,"),
            ("backend", "limit_bytes=limit_bytes)\n", "limit_bytes=min(limit_bytes, 10_000))\n"),
        ),
    ),
    Sound(
        "runs one job at a time",
        _edited(
            "backend",
            (
                "backend",
                '"command": list(job.command)',
                '"command": ["/usr/bin/flock", self.config.root, *job.command]',
            ),
        ),
    ),
)

SOUND = (*MODELS, *CONNECTORS, *BACKENDS)
