"""The specification of a pipeline: connector, model, output and backend, read from TOML or made in Python.

``${here}`` in the configurations stands for the folder of the pipeline's file.
"""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, JsonValue, ValidationError

from chimes.errors import CompositionError, ConfigError, NotFoundError, Problem
from chimes.kinds.component import Value
from chimes.kinds.predicates import Predicate
from chimes.text import read_toml, shorten

__all__ = [
    "About",
    "Backend",
    "Column",
    "ModelStep",
    "Output",
    "Pipeline",
    "ResourceRequest",
    "Source",
    "read_pipeline",
]

HERE = "${here}"
MOST_PARTITIONS = 1_000_000
YEAR_S = 31_536_000


def _finite(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # The job reads its plan as JSON, which has no infinity and no NaN: they would become null.
    level: list[tuple[str, Any]] = list(values.items())
    while level:
        for key, value in level:
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{key} is {value}, which JSON cannot hold")
        tables = [(key, value) for key, value in level if isinstance(value, dict)]
        lists = [(key, value) for key, value in level if isinstance(value, list)]
        level = [(f"{key}.{name}", inner) for key, table in tables for name, inner in table.items()]
        level += [(f"{key}.{number}", inner) for key, items in lists for number, inner in enumerate(items)]
    return values


Settings = Annotated[dict[str, JsonValue], AfterValidator(_finite)]


class About(Value):
    """The name of the pipeline, which appears in the labels of its jobs."""

    name: str = Field(min_length=1, max_length=120)


class Source(Value):
    """The connector, the stream, and which of its rows to read; only the needed columns are read."""

    component: str
    stream: str
    filters: tuple[Predicate, ...] = ()
    limit: int | None = Field(None, ge=0)
    partitions: int = Field(1, ge=1, le=MOST_PARTITIONS)
    config: Settings = Field(default_factory=dict)


class Column(Value):
    """The source column of an input of the model. ``cast`` names an Arrow type, or is true for the input's own type.

    With a cast a run may fail at a value that cannot be converted; without one it cannot.
    """

    column: str
    cast: str | Literal[True] | None = None


def _column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class ModelStep(Value):
    """The model, its device, the source column of each input, and the source columns to ``keep`` in the output."""

    component: str
    device: str = "cpu"
    keep: tuple[str, ...] = ()
    params: Settings = Field(default_factory=dict)
    config: Settings = Field(default_factory=dict)
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = Field(default_factory=dict)


class Output(Value):
    """The file to write; its suffix chooses the format: .parquet, .arrow, .csv or .jsonl."""

    path: str = Field(min_length=1)


class Backend(Value):
    """The compute backend that runs the job."""

    component: str = "chimes-local:local"
    config: Settings = Field(default_factory=dict)


class ResourceRequest(Value):
    """The resources of the job. A missing value is taken from the model's registration, else from the backend."""

    cpus: int | None = Field(None, ge=1)
    memory_bytes: int | None = Field(None, ge=1)
    walltime_s: float | None = Field(None, gt=0, le=YEAR_S)


class Pipeline(Value):
    """Connector, model and output on a backend. A relative output path starts at the current folder."""

    pipeline: About
    source: Source
    model: ModelStep
    output: Output
    backend: Backend = Backend()
    resources: ResourceRequest = ResourceRequest()

    @property
    def name(self) -> str:
        """The name of the pipeline."""
        return self.pipeline.name


SECTIONS: dict[str, type[BaseModel]] = {
    "pipeline": About,
    "source": Source,
    "model": ModelStep,
    "output": Output,
    "backend": Backend,
    "resources": ResourceRequest,
}


def read_pipeline(path: Path | str) -> Pipeline:
    """Read a pipeline's TOML file.

    Raises NotFoundError without such a file, ConfigError with line and column where it is not TOML,
    CompositionError with one problem per key that is unknown, missing or wrong.
    """
    path = Path(path).absolute()
    values = _expand(read_toml(path, "pipeline", absent=NotFoundError), str(path.parent))
    try:
        pipeline = Pipeline.model_validate(values)
    except ValidationError as error:
        problems = tuple(_problem(entry) for entry in error.errors())
        raise CompositionError(
            f"{path.name} is not a pipeline: {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            problems=problems,
            hint="every section and key is described in the reference of pipelines",
        ) from error
    output = Output(path=str(path.parent / pipeline.output.path))
    return pipeline.model_copy(update={"output": output})


def _expand(value: Any, here: str) -> Any:
    match value:
        case str():
            return value.replace(HERE, here)
        case dict():
            return {key: _expand(item, here) for key, item in value.items()}
        case list():
            return [_expand(item, here) for item in value]
    return value


def _problem(entry: Any) -> Problem:
    loc = [str(part) for part in entry["loc"]]
    key = ".".join(loc)
    section = SECTIONS.get(loc[0]) if len(loc) == 2 else Pipeline if len(loc) == 1 else None
    known = list(section.model_fields) if section else []
    title = f"[{loc[0]}]" if len(loc) == 2 else "the sections"
    match entry["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(loc[-1], known, n=1)
            fix = f"did you mean {near[0]}?" if near else "remove it"
            return _config(f"unknown key {key!r}", f"{fix}{_listed(title, known)}", key)
        case "missing":
            return _config(f"key {key!r} is missing", f"add {loc[-1]}{_listed(title, known)}", key)
    return _config(f"{key} = {_shown(entry['input'])} is not valid: {entry['msg']}", "correct this value", key)


def _listed(title: str, known: list[str]) -> str:
    return f" ({title} may have: {', '.join(known)})" if known else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        # A configuration may hold a secret by mistake.
        return "{...}"
    return shorten(repr(value), 60)


def _config(message: str, fix: str, where: str) -> Problem:
    return Problem(code=ConfigError.code, message=message, fix=fix, where=where)
