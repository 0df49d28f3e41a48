"""Checks that the parts of a pipeline fit together before anything is started; reports every problem at once."""

from __future__ import annotations

import platform
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from pydantic import JsonValue

import chimes
from chimes.context import Context
from chimes.errors import ChimesError, CompositionError, ConfigError, NotFoundError, Problem, SchemaMismatchError
from chimes.host.components import Part, find_part
from chimes.host.params import check_params
from chimes.kinds.backend import Inventory
from chimes.kinds.connector import ReadPlan, ReadRequest
from chimes.kinds.descriptors import Kind
from chimes.kinds.model import ModelInfo
from chimes.kinds.predicates import columns_of, filter_batch
from chimes.kinds.schema import empty_batch
from chimes.pipelines.composition import Composition
from chimes.pipelines.environment import find_secrets
from chimes.pipelines.output import check_format
from chimes.pipelines.placement import Placement, choose_resources, find_placements
from chimes.pipelines.projection import match_columns
from chimes.pipelines.spec import Pipeline
from chimes.processes import scratch_folder
from chimes.registry import Registry
from chimes.resources import Device, Resources

__all__ = ["compose"]

T = TypeVar("T")


def compose(pipeline: Pipeline, registry: Registry | None = None) -> Composition:
    """Compose a pipeline with the installed plugins; nothing is started, queued, read or written.

    Plugins are imported and asked to describe and plan. Raises CompositionError with every problem.
    """
    with scratch_folder("chimes-compose-") as folder:
        context = Context.under(folder, run_id="compose")
        composer = _Composer(pipeline, registry or Registry.discover(), context)
        composition = composer.compose()
    if composition is None or composer.problems:
        count = len(composer.problems)
        raise CompositionError(
            f"pipeline {pipeline.name!r} does not compose: {count} problem{'s' if count > 1 else ''}",
            problems=tuple(composer.problems),
            hint="nothing was started; each problem has its own fix",
        )
    return composition


class _Composer:
    """Checks the parts in order, collects the problems, and goes on with the checks that are still possible."""

    def __init__(self, pipeline: Pipeline, registry: Registry, context: Context) -> None:
        self.pipeline = pipeline
        self.registry = registry
        self.context = context
        self.problems: list[Problem] = []

    def compose(self) -> Composition | None:
        pipeline = self.pipeline
        source = self.find("connector", "source", pipeline.source.component, pipeline.source.config)
        model = self.find("model", "model", pipeline.model.component, pipeline.model.config)
        backend = self.find("backend", "backend", pipeline.backend.component, pipeline.backend.config)
        info = self.attempt("model", lambda: _describe(model)) if model else None
        schema = self.attempt("source", lambda: self.plan(source).arrow_schema) if source else None
        if schema is not None:
            self.check_filters(schema)
            self.check_keep(schema)
        if info is not None:
            self.problems += check_params(info.signature.params, pipeline.model.params)
        if schema is not None and info is not None:
            self.problems += match_columns(schema, info.signature.inputs, pipeline.model.columns)[1]
        output_schema = self.check_output(schema, info)
        resources, placements = self.place(model, info, backend)
        if self.problems or not (source and model and backend and info) or schema is None or output_schema is None:
            return None
        return self.finish(source, (source, model, backend), info, schema, output_schema, resources, placements)

    def attempt(self, where: str, step: Callable[[], T]) -> T | None:
        """Return what ``step`` returns, or None after keeping the problem where it raises a ChimesError."""
        try:
            return step()
        except ChimesError as error:
            fix = error.hint or f"chimes explain {error.code}"
            self.problems.append(Problem(code=error.code, message=str(error), fix=fix, where=where))
            return None

    def find(self, kind: Kind, where: str, address: str, config: Mapping[str, JsonValue]) -> Part | None:
        return self.attempt(where, lambda: find_part(self.registry, kind, address, config))

    def plan(self, source: Part, request: ReadRequest | None = None) -> ReadPlan:
        """The connector's plan for ``request``, by default for the whole stream."""
        request = request or ReadRequest(stream=self.pipeline.source.stream)
        with source.open(self.context) as connector:
            return source.call("plan", lambda: connector.plan(request), ReadPlan)

    def check_filters(self, schema: pa.Schema) -> None:
        empty = empty_batch(schema)
        for i, predicate in enumerate(self.pipeline.source.filters):
            self.attempt(f"source.filters.{i}", partial(filter_batch, empty, predicate))

    def check_keep(self, schema: pa.Schema) -> None:
        for name, times in Counter(self.pipeline.model.keep).items():
            if schema.names.count(name) != 1:
                known, count = ", ".join(schema.names), schema.names.count(name)
                what = f"column {name!r} is to be kept, the source has {count or 'none'}"
                self.note(NotFoundError, what, f"keep one of its columns: {known}")
            if times > 1:
                self.note(ConfigError, f"column {name!r} is kept {times} times", "name it once")

    def note(self, kind: type[ChimesError], message: str, fix: str, where: str = "model.keep") -> None:
        self.problems.append(Problem(code=kind.code, message=message, fix=fix, where=where))

    def check_output(self, schema: pa.Schema | None, info: ModelInfo | None) -> pa.Schema | None:
        """The schema of the output file: the kept columns, then the model's outputs."""
        path = Path(self.pipeline.output.path).absolute()
        self.attempt("output.path", lambda: _check_writable(path))
        fields: list[pa.Field] = []
        if schema is not None:
            kept = dict.fromkeys(self.pipeline.model.keep)
            fields = [schema.field(name) for name in kept if schema.names.count(name) == 1]
        if info is not None:
            outputs = info.signature.outputs
            for name in {field.name for field in fields} & set(outputs.names):
                fix = (
                    "remove it from keep, or rename it in the source; the model has it among its outputs: "
                    + ", ".join(outputs.names)
                )
                self.note(ConfigError, f"column {name!r} is kept and is an output of the model", fix)
            fields = [field for field in fields if field.name not in outputs.names] + list(outputs)
        output = pa.schema(fields)
        if not path.is_dir():
            self.attempt("output.path", lambda: check_format(path, output))
        return output

    def place(
        self, model: Part | None, info: ModelInfo | None, backend: Part | None
    ) -> tuple[Resources, tuple[Placement, ...]]:
        """Match device and resources with the backend's inventory."""
        device = self.attempt("model.device", lambda: Device.parse(self.pipeline.model.device))
        inventory = self.attempt("backend", lambda: _inventory(backend, self.context)) if backend else None
        if device is None or model is None or info is None:
            return Resources(), ()
        registration = model.listing.registration
        asked = self.pipeline.resources
        resources = choose_resources(device, registration.resources, asked.cpus, asked.memory_bytes, asked.walltime_s)
        both = [kind for kind in registration.devices if kind in info.devices]
        pools = inventory or Inventory(pools=())
        placements, problems = find_placements(device, both, resources, self.pipeline.backend.component, pools)
        if inventory is not None or device.kind not in both:
            self.problems += problems
        return resources, placements

    def finish(
        self,
        source: Part,
        parts: tuple[Part, ...],
        info: ModelInfo,
        schema: pa.Schema,
        output_schema: pa.Schema,
        resources: Resources,
        placements: tuple[Placement, ...],
    ) -> Composition | None:
        """Plan the read of the needed columns only, with all filters."""
        request = self.request(schema, info)
        plan = self.attempt("source", lambda: _same_columns(self.plan(source, request), schema, request))
        if plan is None:
            return None
        matches, _ = match_columns(plan.arrow_schema, info.signature.inputs, self.pipeline.model.columns)
        output = self.pipeline.output.model_copy(update={"path": str(Path(self.pipeline.output.path).absolute())})
        versions = {part.listing.distribution: part.listing.version for part in parts}
        return Composition(
            pipeline=self.pipeline.model_copy(update={"output": output}),
            request=request,
            read_plan=plan,
            model_info=info,
            columns=matches,
            output_schema=output_schema,
            resources=resources,
            placements=placements,
            workdir=str(Path.cwd()),
            secrets=self.secrets(parts),
            versions=versions
            | {"chimes": chimes.__version__, "pyarrow": pa.__version__, "python": platform.python_version()},
        )

    def secrets(self, parts: tuple[Part, ...]) -> tuple[str, ...]:
        """The variables that the configurations of the worker's components name, in given values and in defaults."""
        given = (self.pipeline.source.config, self.pipeline.model.config)
        return find_secrets(*given, *(part.config for part in parts if part.listing.kind != "backend"))

    def request(self, schema: pa.Schema, info: ModelInfo) -> ReadRequest:
        source, model = self.pipeline.source, self.pipeline.model
        needed = set(model.keep)
        for name in info.signature.inputs.names:
            needed.add(model.columns[name].column if name in model.columns else name)
        for predicate in source.filters:
            needed |= columns_of(predicate)
        return ReadRequest(
            stream=source.stream,
            columns=tuple(name for name in schema.names if name in needed) or None,
            filters=source.filters,
            limit=source.limit,
            partitions=source.partitions,
        )


def _describe(model: Part) -> ModelInfo:
    info = model.call("describe", lambda: model.target.describe(model.config), ModelInfo)
    limits = info.signature.batch
    if limits.max_rows is not None and limits.max_rows < limits.min_rows:
        raise SchemaMismatchError(
            f"{model.address} takes at least {limits.min_rows} and at most {limits.max_rows} rows",
            hint="report it to the plugin's author",
            fault="plugin",
        )
    return info


def _same_columns(plan: ReadPlan, schema: pa.Schema, request: ReadRequest) -> ReadPlan:
    """The plan, if its columns have the types that they have in the plan of the whole stream."""
    planned = plan.arrow_schema
    for name in request.columns or ():
        if planned.names.count(name) != 1 or not planned.field(name).equals(schema.field(name)):
            raise SchemaMismatchError(
                f"the connector plans column {name!r} differently when it is asked for some columns only",
                hint="report it to the plugin's author; chimes check finds this",
                fault="plugin",
            )
    return plan


def _inventory(part: Part, context: Context) -> Inventory:
    with part.open(context) as backend:
        part.call("ping", backend.ping)
        return part.call("inventory", backend.inventory, Inventory)


def _check_writable(path: Path) -> None:
    if path.is_dir():
        raise ConfigError(f"output {str(path)!r} is a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise NotFoundError(f"output folder {str(path.parent)!r} does not exist", hint="make it, or write elsewhere")
    try:
        # A file is made, because permission bits say nothing about a read-only file system.
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        why = error.strerror
        raise ConfigError(
            f"output folder {str(path.parent)!r} is not writable: {why}", hint="write elsewhere"
        ) from error
