"""Plugins that are broken on purpose: each is a strict reference plugin with one edit, and one check must notice.

A mutant differs from the strict plugin by one behaviour and raises nothing that the strict one does not.
``also_fails`` names the other checks that the same behaviour breaks, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from chimes import __version__
from chimes.environments.wheelfile import write_wheel
from chimes.errors import ConfigError
from chimes.kinds.descriptors import Kind

__all__ = ["MUTANTS", "Edit", "Mutant", "strict_wheel"]


@dataclass(frozen=True)
class Edit:
    """In ``file`` of the strict plugin, ``old`` (which must stand there once) becomes ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One broken plugin: what it does wrong, and the one check that is there to notice."""

    check: str
    kind: Kind
    summary: str
    edits: tuple[Edit, ...] = ()
    requires: tuple[str, ...] = ()
    also_fails: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A name for people."""
        return f"{self.kind}-{self.check.lower()}"


def strict_wheel(kind: Kind, folder: Path, edits: tuple[Edit, ...] = (), requires: tuple[str, ...] = ()) -> Path:
    """Pack the strict reference plugin of a kind, with edits and more requirements, as a wheel below ``folder``."""
    package = f"chimes_strict_{kind}"
    source = resources.files("chimes.conformance.gate").joinpath("strict", kind)
    files = {item.name: item.read_text("utf-8") for item in source.iterdir() if item.name.endswith((".py", ".md"))}
    for edit in edits:
        if files[edit.file].count(edit.old) != 1:
            raise ConfigError(f"{edit.old!r} does not stand once in {edit.file} of the strict {kind}")
        files[edit.file] = files[edit.file].replace(edit.old, edit.new)
    readme = files.pop("README.md")
    files["CHANGELOG.md"] = f"# Changes\n\n## {__version__}\n\nMade for this version of the SDK.\n"
    return write_wheel(
        folder,
        name=f"chimes-strict-{kind}",
        version=__version__,
        files={f"{package}/{name}": text.encode("utf-8") for name, text in sorted(files.items())},
        requires=(f"chimes=={__version__}", "pyarrow>=20", *requires),
        readme=readme,
        entry_points={"chimes": {"strict": f"{package}.plugin"}},
    )


def _model(check: str, summary: str, *edits: tuple[str, str], also: Mapping[str, str] | None = None) -> Mutant:
    return _mutant("model", "model.py", check, summary, edits, also)


def _connector(check: str, summary: str, *edits: tuple[str, str], also: Mapping[str, str] | None = None) -> Mutant:
    return _mutant("connector", "connector.py", check, summary, edits, also)


def _backend(check: str, summary: str, *edits: tuple[str, str], also: Mapping[str, str] | None = None) -> Mutant:
    return _mutant("backend", "backend.py", check, summary, edits, also)


def _entry(check: str, summary: str, *edits: tuple[str, str], also: Mapping[str, str] | None = None) -> Mutant:
    return _mutant("model", "plugin.py", check, summary, edits, also)


def _mutant(
    kind: Kind, file: str, check: str, summary: str, edits: tuple[tuple[str, str], ...], also: Mapping[str, str] | None
) -> Mutant:
    changed = tuple(Edit(file, old, new) for old, new in edits)
    return Mutant(check=check, kind=kind, summary=summary, edits=changed, also_fails=also or {})


IMPORT = "from chimes import Registration, hookimpl\n"
COLUMNS = "        x, y = batch.column(0), batch.column(1)\n"
SCORE = "        score = pc.add(pc.multiply(x, self.config.weight), y)\n"

MUTANTS: tuple[Mutant, ...] = (
    _mutant("model", "README.md", "P01", "has no contact", (("## Contact\n", "## Thanks\n"),), None),
    _mutant(
        "model",
        "README.md",
        "P02",
        "does not list known failures",
        (("## Known failures\n", "## Praise\n"),),
        None,
    ),
    _entry(
        "S01",
        "announces itself with a registration version from the future",
        ('api="chimes.model/1",', 'api="chimes.model/1",\n            version=2,'),
    ),
    _model(
        "S02",
        "ignores configuration keys that it does not know",
        ("    weight: float =", '    model_config = {"extra": "ignore"}\n\n    weight: float ='),
    ),
    _model(
        "S05",
        "its class speaks another interface version than its registration says",
        ("    loaded = False\n", '    api = "chimes.model/0"\n    loaded = False\n'),
    ),
    _entry("S08", "imports pydantic when it is listed", (IMPORT, f"import pydantic\n\n{IMPORT}")),
    _entry(
        "S09",
        "opens a socket when it is listed",
        (IMPORT, f"import socket\n\n{IMPORT}\nsocket.socket().close()\n"),
        also={"S22": "every session imports the entry module"},
    ),
    Mutant(
        check="S21",
        kind="model",
        summary="requires two versions of one package at once",
        requires=("pluggy<1",),
        also_fails=dict.fromkeys(("P01", "P02", "S01", "S08", "S09"), "without an environment nothing can be run"),
    ),
    _model(
        "S22",
        "leaves a file in the working directory",
        (COLUMNS, f'        open("strict.log", "a").close()\n{COLUMNS}'),
    ),
    _model(
        "M02",
        "publishes an invalid parameter schema",
        ("outputs=OUTPUTS)", 'outputs=OUTPUTS, params={"type": "objekt"})'),
    ),
    _model(
        "M04",
        "loads on the CPU whatever device is asked for",
        ('if device != Device("cpu"):', 'if device.kind not in ("cpu", "cuda", "npu"):'),
    ),
    _model(
        "M07",
        "forgets that its outputs are never null",
        ("schema=OUTPUTS)", "names=OUTPUTS.names)"),
        also={"M09": "the schema for no rows forgets it too"},
    ),
    _model(
        "M08",
        "gives the scores in reverse order",
        (SCORE, f"{SCORE}        score = score[::-1]\n"),
        also={"M11": "two reversed halves are not the reversed whole"},
    ),
    _model(
        "M09",
        "returns a row for an empty batch",
        (
            COLUMNS,
            "        if batch.num_rows == 0:\n"
            '            batch = pa.RecordBatch.from_pylist([{"x": 0.0, "y": 0.0}], schema=INPUTS)\n' + COLUMNS,
        ),
    ),
    _model(
        "M11",
        "subtracts the batch's mean",
        (SCORE, f"{SCORE}        score = pc.subtract(score, pc.mean(score))\n"),
    ),
    _model(
        "M14",
        "zeroes its first input value after use",
        ("from collections.abc import Mapping\n", "import ctypes\nfrom collections.abc import Mapping\n"),
        (
            SCORE,
            f"{SCORE}        if batch.num_rows:\n"
            "            ctypes.memset(x.buffers()[1].address + 8 * x.offset, 0, 8)\n",
        ),
    ),
    _connector(
        "D02",
        "ignores the pattern",
        ("if pattern is None or fnmatch.fnmatchcase(path.stem, pattern):", "if pattern != path.name:"),
    ),
    _connector(
        "D04",
        "adds metadata to its batches that the plan does not have",
        (
            "yield from self.project(pa.Table.from_batches([kept]), request).to_batches()",
            'found = self.project(pa.Table.from_batches([kept]), request).replace_schema_metadata({"page": "1"})\n'
            "            yield from found.to_batches()",
        ),
    ),
    _connector(
        "D05",
        "stops after the first page of 64 rows",
        (".slice(start, stop - start)", ".slice(start, min(stop - start, 64))"),
    ),
    _connector(
        "D09",
        "calls its first filter exact and does not apply it",
        ("for predicate in request.filters:", "for predicate in request.filters[1:]:"),
    ),
    _connector(
        "D12",
        "reads only what the same process has planned",
        ("    def plan(self,", "    planned = False\n\n    def plan(self,"),
        (
            "        count = max(1,",
            "        self.planned = True\n        count = max(1,",
        ),
        ("        start, stop = token\n", "        start, stop = token if self.planned else (0, 0)\n"),
    ),
    _backend(
        "B02",
        "reports an ended job as queued when polled again",
        (
            "        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n",
            "        found = [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n"
            "        if len(found) == 1 and found[0].exit_code == 0:\n"
            "            self.ends += 1\n"
            "            if self.ends == 2:\n"
            "                return [found[0].model_copy(update={'state': JobState.QUEUED})]\n"
            "        return found\n",
        ),
        ("    Config = StrictConfig\n", "    Config = StrictConfig\n    ends = 0\n"),
        ("JobHandle, JobSpec, JobStatus,", "JobHandle, JobSpec, JobState, JobStatus,"),
    ),
    _backend(
        "B03",
        "blames every failed job on the infrastructure",
        (
            "        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n",
            "        found = [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n"
            "        return [s.model_copy(update={'fault': 'infrastructure' if s.fault else None}) for s in found]\n",
        ),
    ),
    _backend(
        "B05",
        "knows only the jobs that it submitted itself",
        (
            "        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]\n",
            "        known = [self.folder(h) if h.key in self.keys else Path('/nowhere') for h in handles]\n"
            "        return [JobStatus.model_validate(read_status(folder)) for folder in known]\n",
        ),
        (
            "        digest = job.sha256()\n",
            "        digest = job.sha256()\n        self.keys = {*self.keys, key}\n",
        ),
        ("    Config = StrictConfig\n", "    Config = StrictConfig\n    keys: set[str] = set()\n"),
        also={"B09": "a job that another process submitted is not followed to its end"},
    ),
    _backend(
        "B09",
        "makes a new job of every submit",
        (
            "key=key, spec_sha256=digest, job=record)",
            "key=f'{key} {time.monotonic_ns()}', spec_sha256=digest, job=record)",
        ),
        ("import sys\n", "import sys\nimport time\n"),
    ),
    _backend(
        "B12",
        "does not end a job that ignores SIGTERM",
        ("grace_s=grace_s)\n", "grace_s=3600)\n"),
        also={"B13": "a stubborn grandchild is not ended either"},
    ),
    _backend(
        "B13",
        "ends only the process that it started itself",
        (
            "        jobfolder.request_cancel(self.folder(handle), grace_s=grace_s)\n",
            "        folder = self.folder(handle)\n"
            "        if not (folder / jobfolder.EXIT).exists():\n"
            "            records = [jobfolder.read_record(folder, n) for n in (jobfolder.STARTED, jobfolder.WRAPPER)]\n"
            "            pids = [record['pid'] for record in records if record is not None]\n"
            "            for pid, number in [*((pid, 15) for pid in pids[:1]), *((pid, 9) for pid in pids)]:\n"
            "                with contextlib.suppress(ProcessLookupError):\n"
            "                    os.kill(pid, number)\n"
            "                time.sleep(min(grace_s, 0.3))\n"
            "            end = {'reason': 'cancelled', 'fault': 'user', 'exit_code': None, 'signal': 9}\n"
            "            jobfolder.write_record(folder, jobfolder.EXIT, end)\n",
        ),
        ("import sys\n", "import contextlib\nimport os\nimport sys\nimport time\n"),
        also={"B12": "a job that is only just starting has no process of its own yet that could be ended"},
    ),
)
