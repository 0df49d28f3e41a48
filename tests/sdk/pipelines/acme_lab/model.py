"""A model that adds two columns, or fails in the way that its configuration names."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from chimes.errors import DeviceUnavailableError, RateLimitedError, TransientError
from chimes.kinds.component import Config
from chimes.kinds.model import BatchLimits, LoadReport, Model, ModelInfo, Signature
from chimes.resources import Device

Behaviour = Literal[
    "good",
    "raises",
    "exits",
    "is killed",
    "crashes",
    "hangs",
    "fills memory",
    "answers short",
    "answers another type",
    "answers another column",
    "answers a column more",
    "answers in another order",
    "answers nulls",
    "answers text",
    "answers chunked",
    "is busy once",
    "is throttled for an hour",
    "lies about its device",
    "has no device",
    "describes nonsense",
    "describes impossible batches",
    "raises in describe",
    "fails to close",
    "raises and fails to close",
    "interrupts",
]

OUTPUTS = pa.schema(
    [pa.field("score", pa.float64(), nullable=False), pa.field("batch_rows", pa.int64(), nullable=False)]
)


class ScoreConfig(Config):
    behaviour: Behaviour = "good"
    a: str = "float32"
    b: str = "int64"
    nullable: bool = False
    min_rows: int = 0
    max_rows: int | None = None
    preferred_rows: int = 1024
    folder: str = "."


class Score(Model[ScoreConfig]):
    Config = ScoreConfig

    @classmethod
    def describe(cls, config: ScoreConfig) -> ModelInfo:
        if config.behaviour == "raises in describe":
            raise KeyError("weights")
        if config.behaviour == "describes nonsense":
            return {"signature": None}  # type: ignore[return-value]
        limits = BatchLimits(min_rows=config.min_rows, max_rows=config.max_rows, preferred_rows=config.preferred_rows)
        if config.behaviour == "describes impossible batches":
            limits = BatchLimits(min_rows=8, max_rows=4)
        inputs = pa.schema(
            [
                pa.field("a", pa.type_for_alias(config.a), nullable=config.nullable),
                pa.field("b", pa.type_for_alias(config.b), nullable=config.nullable),
            ]
        )
        params: dict[str, Any] = {
            "type": "object",
            "properties": {"factor": {"type": "number"}, "mode": {"enum": ["plain", "loud"]}},
            "required": ["factor"],
            "additionalProperties": False,
        }
        signature = Signature(inputs=inputs, outputs=OUTPUTS, params=params, batch=limits)
        return ModelInfo(signature=signature, devices=("cpu", "npu"))

    def load(self, device: Device) -> LoadReport:
        if self.config.behaviour == "has no device":
            raise DeviceUnavailableError(f"{device} is not there", hint="plug it in")
        return LoadReport(device="npu:0" if self.config.behaviour == "lies about its device" else str(device))

    def predict(self, batch: pa.RecordBatch, *, params: Mapping[str, Any] = {}) -> Any:
        self._misbehave()
        factor = float(params.get("factor", 1.0))
        total = pc.add(pc.cast(batch.column("a"), pa.float64()), pc.cast(batch.column("b"), pa.float64()))
        score = pc.multiply(total, factor)
        rows = pa.array([batch.num_rows] * batch.num_rows, pa.int64())
        return self._answer(pa.RecordBatch.from_arrays([score, rows], schema=OUTPUTS))

    def close(self) -> None:
        if self.config.behaviour.endswith("fails to close"):
            raise TransientError("the weights are held by another")

    def _misbehave(self) -> None:
        match self.config.behaviour:
            case "raises" | "raises and fails to close":
                raise ValueError("the weights do not like these numbers")
            case "interrupts":
                raise KeyboardInterrupt
            case "exits":
                os._exit(0)
            case "is killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crashes":
                ctypes.string_at(0)
            case "fills memory":
                raise MemoryError
            case "hangs":
                print(f"hanging in {os.getpid()}", flush=True)
                while not self.context.cancel.is_cancelled:
                    threading.Event().wait(0.05)
            case "is busy once":
                marker = Path(self.config.folder, "busy")
                if not marker.exists():
                    marker.touch()
                    raise TransientError("the weights are being moved", hint="wait a little")
            case "is throttled for an hour":
                raise RateLimitedError("too many requests", retry_after_s=3600)

    def _answer(self, good: pa.RecordBatch) -> Any:
        match self.config.behaviour:
            case "answers short":
                return good.slice(1)
            case "answers another type":
                return good.set_column(
                    0, pa.field("score", pa.float32(), nullable=False), good.column(0).cast("float32")
                )
            case "answers another column":
                return good.rename_columns(["points", "batch_rows"])
            case "answers a column more":
                return good.append_column("more", good.column(0))
            case "answers in another order":
                return good.select(["batch_rows", "score"])
            case "answers nulls":
                nulls = pa.nulls(good.num_rows, pa.float64())
                return pa.RecordBatch.from_arrays([nulls, good.column(1)], schema=OUTPUTS)
            case "answers text":
                return "a score"
            case "answers chunked":
                return pa.Table.from_batches([good.slice(0, 1), good.slice(1)])
        return good


class Echo(Model[Config]):
    """Answers with its input."""

    @classmethod
    def describe(cls, config: Config) -> ModelInfo:
        ids = pa.schema([pa.field("id", pa.int64(), nullable=False)])
        return ModelInfo(signature=Signature(inputs=ids, outputs=ids, params={"additionalProperties": True}))

    def load(self, device: Device) -> LoadReport:
        return LoadReport(device=str(device))

    def predict(self, batch: pa.RecordBatch, *, params: Mapping[str, Any] = {}) -> Any:
        return batch
