"""The process in which a pipeline's components run: ``python -m chimes.pipelines.worker run PLAN.json``.

It reads the composed pipeline, loads the model on its device, feeds it the connector's rows and
writes the output. Beside the plan it leaves ``result.json`` or ``error.json``; exit status 0 or 1.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from chimes.context import Context
from chimes.errors import DeviceUnavailableError, InvalidStateError, PluginCrashedError
from chimes.host.batching import pad, rebatch, target_rows
from chimes.host.components import Part, closing, find_part
from chimes.host.reading import PlannedRead
from chimes.kinds.model import LoadReport, Model
from chimes.pipelines.composition import Composition
from chimes.pipelines.output import OutputFile, OutputReport
from chimes.pipelines.projection import check_outputs, project
from chimes.pipelines.result import (
    Failure,
    PrivateVariables,
    Progress,
    RunFolder,
    RunResult,
    after_output,
    read_value,
    write_value,
)
from chimes.registry import Registry
from chimes.resources import Device

__all__ = ["main"]

USAGE = "usage: python -m chimes.pipelines.worker run PLAN.json"
PROGRESS_EVERY_S = 0.2


class Stages:
    """The current stage, and the time that each stage took."""

    def __init__(self, folder: RunFolder) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"
        self._folder = folder
        self._reported_at = 0.0

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        self.current, started = name, time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started

    def report(self, rows: int, *, now: bool = False) -> None:
        """Write the progress for the host, at most a few times a second."""
        if now or time.monotonic() - self._reported_at > PROGRESS_EVERY_S:
            self._reported_at = time.monotonic()
            write_value(self._folder.progress, Progress(stage=self.current, rows=rows))


class Worker:
    """One run of one composition."""

    def __init__(self, composition: Composition, folder: RunFolder, stages: Stages, context: Context) -> None:
        self.folder = folder
        self.stages = stages
        self.context = context
        self.rows_read = 0
        pipeline = composition.pipeline
        names = {part.component.partition(":")[0] for part in (pipeline.source, pipeline.model)}
        registry = Registry.discover(only=names)
        self.source = find_part(registry, "connector", pipeline.source.component, pipeline.source.config)
        self.model = find_part(registry, "model", pipeline.model.component, pipeline.model.config)
        # Read a second time: the imported plugins may have registered extension types that the schemas use.
        self.composition = read_plan(folder)

    def run(self) -> RunResult:
        """Load, read, predict and write; raises ChimesError."""
        source, model = self.source, self.model
        output: OutputReport | None = None
        try:
            with source.open(self.context) as connector, model.open(self.context) as loaded:
                with self.stages.measure("load"):
                    self.stages.report(0, now=True)
                    report = self.load(model, loaded)
                rows = PlannedRead(connector, self.composition.request, self.composition.read_plan)
                output = self.write(source, rows, model, loaded)
                self.stages.current = "close"
        except PluginCrashedError as error:
            if output is None:
                raise
            raise after_output(error, output.path) from error
        return RunResult(
            run_id=self.folder.run_id,
            rows_read=self.rows_read,
            output=output,
            seconds={name: round(seconds, 6) for name, seconds in self.stages.seconds.items()},
            model=model.address,
            device=str(self.composition.device),
            load=report,
            versions=self.composition.versions,
        )

    def load(self, part: Part, model: Model[Any]) -> LoadReport:
        """Load the model; the only device that this process sees has index 0."""
        device = Device(self.composition.device.kind)
        report = part.call("load", lambda: model.load(device), LoadReport)
        if Device.parse(report.device).kind != device.kind:
            raise DeviceUnavailableError(
                f"{part.address} was to be loaded on {device} and reports {report.device}",
                hint="report it to the plugin's author: load must raise instead",
                fault="plugin",
            )
        return report

    def write(self, source: Part, rows: PlannedRead, model: Part, loaded: Model[Any]) -> OutputReport:
        """Read, predict, write; the output gets its name only after the last row."""
        schema = self.composition.output_schema
        limits = self.composition.model_info.signature.batch
        read = rows.batches()
        batches = rebatch(read, target_rows(limits))
        file = OutputFile(self.composition.output_path, schema, run_id=self.folder.run_id)
        with file as output, closing(read, f"read of {source.address}"):
            while (batch := self.next(source, batches)) is not None:
                answer = self.predict(model, loaded, batch)
                kept = [batch.column(name) for name in self.composition.pipeline.model.keep]
                with self.stages.measure("write"):
                    output.write(pa.RecordBatch.from_arrays([*kept, *answer.columns], schema=schema))
                self.stages.report(output.rows)
            with self.stages.measure("write"):
                self.context.cancel.raise_if_cancelled()
                report = output.commit()
        self.stages.report(report.rows, now=True)
        return report

    def next(self, source: Part, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        """The next rows, None at the end."""
        self.context.cancel.raise_if_cancelled()
        with self.stages.measure("read"):
            batch = source.call("read", lambda: next(batches, None))
        self.rows_read += 0 if batch is None else batch.num_rows
        return batch

    def predict(self, part: Part, model: Model[Any], batch: pa.RecordBatch) -> pa.RecordBatch:
        """The model's answer for one batch, checked."""
        signature = self.composition.model_info.signature
        with self.stages.measure("project"):
            inputs = pad(project(batch, self.composition.columns, signature.inputs), signature.batch.min_rows)
        params = self.composition.pipeline.model.params
        with self.stages.measure("predict"):
            answer = part.call("predict", lambda: model.predict(inputs, params=params))
            checked = part.call("predict", lambda: check_outputs(answer, signature.outputs, inputs.num_rows))
        return checked.slice(0, batch.num_rows)


def read_plan(folder: RunFolder) -> Composition:
    """The composition that the host left; raises InvalidStateError where it is missing or of another version."""
    composition = read_value(folder.plan, Composition)
    if composition is None:
        raise InvalidStateError(f"{folder.plan} does not hold a plan of this version", hint="run the pipeline again")
    return composition


def execute(folder: RunFolder) -> Failure | None:
    """Run the plan in ``folder``; leave the result or the failure there."""
    stages = Stages(folder)
    try:
        composition = read_plan(folder)
        _take_private(folder)
        context = _context(composition, folder)
        write_value(folder.result, Worker(composition, folder, stages, context).run())
    except BaseException as error:
        failure = Failure.of(error, stages.current)
        write_value(folder.error, failure)
        return failure
    finally:
        shutil.rmtree(folder.path / "tmp", ignore_errors=True)
    return None


def _context(composition: Composition, folder: RunFolder) -> Context:
    context = Context.under(folder.path, run_id=folder.run_id)
    signal.signal(signal.SIGTERM, lambda *_: context.cancel.cancel("user"))
    limit = composition.resources.walltime_s
    deadline = None if limit is None else datetime.now(UTC) + timedelta(seconds=limit)
    return dataclasses.replace(context, deadline=deadline)


def _take_private(folder: RunFolder) -> None:
    """Take over the variables that must not be in the job's specification, and remove their file."""
    if private := read_value(folder.private, PrivateVariables):
        os.environ.update(private.variables)
        folder.private.unlink()


def main(argv: Sequence[str]) -> int:
    """Run a plan; the exit status."""
    if len(argv) != 2 or argv[0] != "run":
        print(USAGE, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    failure = execute(RunFolder(Path(argv[1]).absolute().parent))
    if failure is None:
        return 0
    print(f"{failure.code}: {failure.message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
