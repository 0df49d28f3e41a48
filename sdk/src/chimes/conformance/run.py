"""From a path or an installed distribution to a report: build, file checks, environment, suite."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chimes.checks.build import build_wheel
from chimes.checks.check import Finding
from chimes.checks.run import run_checks
from chimes.checks.subject import Subject
from chimes.conformance.build import build_in_sandbox
from chimes.conformance.catalogue import ENTRY_CHECKS
from chimes.conformance.environment import (
    Lock,
    ResolutionError,
    base_environment,
    base_python,
    install,
    python_mounts,
    resolve,
    site_packages,
)
from chimes.conformance.judge import Judge, Progress
from chimes.conformance.nonce import Nonce
from chimes.conformance.remote import INSIDE_ROOT, Place
from chimes.conformance.report import ComponentReport, Report, Result
from chimes.conformance.rules import Rules
from chimes.conformance.unpack import unpack
from chimes.errors import NotFoundError
from chimes.registry import Distribution, normalize, scan
from chimes.sandbox import Mount, preflight

__all__ = ["Options", "check_installed", "check_path"]

UNSAFE = frozenset({"A01", "A02", "A03"})
"""File checks whose failure means that nothing of the file is unpacked or run."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run. ``lock`` is a pylock.toml to use instead of resolving; it only matters in a sandbox."""

    sandbox: bool = False
    rules: Rules = field(default_factory=Rules)
    nonce: Nonce = field(default_factory=Nonce.fresh)
    lock: Path | None = None
    out: Path | None = None
    progress: Progress = lambda _: None


def check_path(path: Path, options: Options) -> Report:
    """Check a project folder, a wheel or an sdist.

    Raises NotFoundError, BuildError, InfrastructureError: whatever stands in the way of checking at all.
    """
    started = time.monotonic()
    if not path.exists():
        raise NotFoundError(f"there is nothing at {path}", hint="give a project folder, a wheel or an sdist")
    if options.sandbox:
        preflight()
    with tempfile.TemporaryDirectory(prefix="chimes-") as scratch:
        file = _built(path, Path(scratch), options) if path.is_dir() else path
        return _check_file(file, Path(scratch), options, started)


def check_installed(distribution: str, options: Options | None = None) -> Report:
    """Run the conformance checks of an installed plugin, without a sandbox. Raises NotFoundError."""
    options = options or Options()
    started = time.monotonic()
    found = next((d for d in scan(sys.path) if d.name == normalize(distribution)), None)
    if found is None:
        raise NotFoundError(f"no plugin {distribution!r} is installed", hint="install it: pip install -e .")
    place = Place(distribution=found.name, site=str(found.folder.parent), limits=options.rules.limits)
    results, components, logs = _judge(place, _plain_env(), found, options)
    return _report(found.name, None, options, started, results, components, logs=logs)


def _built(folder: Path, scratch: Path, options: Options) -> Path:
    options.progress(f"building {folder.name}")
    (scratch / "dist").mkdir()
    build = build_in_sandbox if options.sandbox else build_wheel
    return build(folder, scratch / "dist")


def _check_file(file: Path, scratch: Path, options: Options, started: float) -> Report:
    options.progress(f"checking the file {file.name}")
    with ExitStack() as stack:
        report = run_checks(stack.enter_context(Subject.open(file)))
    results = [_result(item) for item in report.results]
    digest = _sha256(file)
    failed = {result.code for result in results if result.verdict in ("fail", "infra")}
    distribution = None if file.suffix != ".whl" or failed & UNSAFE else _entry_points(file, scratch)
    if distribution is None:
        unsafe = file.suffix == ".whl" and bool(failed & UNSAFE)
        skipped = [Result(code=check.code, verdict="not_run") for check in ENTRY_CHECKS] if unsafe else []
        return _report(file.name, digest, options, started, [*results, *skipped], [])
    if not options.sandbox:
        return _check_plain(file, digest, distribution, results, options, started)
    return _check_sandboxed(file, digest, distribution, results, scratch, options, started)


def _check_plain(
    file: Path, digest: str, plugin: Distribution, results: list[Result], options: Options, started: float
) -> Report:
    place = Place(distribution=plugin.name, site=str(plugin.folder.parent), limits=options.rules.limits)
    ran, components, logs = _judge(place, _plain_env(), plugin, options)
    return _report(file.name, digest, options, started, [*results, *ran], components, logs=logs)


def _check_sandboxed(
    file: Path,
    digest: str,
    plugin: Distribution,
    results: list[Result],
    scratch: Path,
    options: Options,
    started: float,
) -> Report:
    options.progress("making the environment")
    try:
        lock = resolve(file, lock=options.lock, out=scratch / "pylock.toml")
    except ResolutionError as error:
        return _report(file.name, digest, options, started, [*results, _unresolved(error)], [])
    environment = scratch / "environment"
    install(base_environment(lock), file, environment)
    mounts = (Mount(environment, "/env"), *python_mounts())
    inside = "/env" / site_packages(environment).relative_to(environment)
    place = Place(
        distribution=plugin.name,
        site=str(inside),
        environment=environment,
        mounts=mounts,
        limits=options.rules.limits,
        python=str(base_python()),
    )
    ran, components, logs = _judge(place, SANDBOX_ENV, plugin, options)
    if options.out is not None:
        shutil.copy(lock.path, options.out / "pylock.toml")
    return _report(file.name, digest, options, started, [*results, *ran], components, lock=lock, logs=logs)


SANDBOX_ENV = {
    "TMPDIR": f"{INSIDE_ROOT}/tmp",
    "ORT_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "ARROW_IO_THREADS": "2",
}


def _plain_env() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ORT_DISABLE_TELEMETRY": "1"}


def _judge(
    place: Place, env: dict[str, str], plugin: Distribution, options: Options
) -> tuple[list[Result], list[ComponentReport], tuple[str, ...]]:
    judge = Judge(
        place=place,
        env=env,
        top_levels=tuple({target.partition(".")[0] for _, target in plugin.entry_points}),
        rules=options.rules,
        nonce=options.nonce,
        progress=options.progress,
    )
    results, components = judge.run()
    return results, components, tuple(judge.logs)


def _entry_points(wheel: Path, scratch: Path) -> Distribution | None:
    """The plugin in a wheel, unpacked below ``scratch``; None for a library."""
    site = scratch / "site"
    unpack(wheel, site)
    return next(iter(scan([str(site)])), None)


def _unresolved(error: ResolutionError) -> Result:
    finding = Finding(
        code="S21",
        severity="error",
        blocks="verified",
        message="the declared dependencies cannot be resolved to wheels",
        fix="declare dependencies that exist, together, as wheels for this Python",
        said=str(error),
    )
    return Result(code="S21", verdict="fail", cause="own", findings=(finding,))


def _result(item: object) -> Result:
    return Result(
        code=item.code,  # type: ignore[attr-defined]
        verdict=item.verdict,  # type: ignore[attr-defined]
        cause={"pass": None, "not_applicable": None, "infra": "infra"}.get(item.verdict, "own"),  # type: ignore[attr-defined]
        findings=tuple(item.findings),  # type: ignore[attr-defined]
        facts=item.facts,  # type: ignore[attr-defined]
    )


def _report(
    file: str,
    digest: str | None,
    options: Options,
    started: float,
    results: list[Result],
    components: list[ComponentReport],
    *,
    lock: Lock | None = None,
    logs: tuple[str, ...] = (),
) -> Report:
    return Report(
        file=file,
        sha256=digest,
        sandboxed=options.sandbox,
        rules=options.rules.name,
        rules_sha256=options.rules.sha256,
        nonce_sha256=options.nonce.sha256,
        lock=() if lock is None else lock.lines,
        checks=tuple(results),
        components=tuple(components),
        logs=logs,
        seconds=time.monotonic() - started,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
