"""From a path or an installed distribution to a report: build, file checks, environment, suite."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chimes.checks.run import CheckResult, run_checks
from chimes.checks.subject import open_subject
from chimes.conformance.build import build_in_sandbox
from chimes.conformance.catalogue import ENTRY_CHECKS
from chimes.conformance.child.remote import INSIDE_ROOT, Place
from chimes.conformance.judge import Judge, Progress, judge_one
from chimes.conformance.libraries import LIBRARY_CHECKS, LibraryJudge, child_mounts, child_program, importable
from chimes.conformance.nonce import Nonce
from chimes.conformance.report import ComponentReport, Report, Result, printable
from chimes.conformance.rules import Rules
from chimes.conformance.subject import EntrySubject
from chimes.conformance.suites.behaviour import BuildStays
from chimes.conformance.suites.plugins import S01, S21
from chimes.environments import (
    Lock,
    base_environment,
    dependency_problems,
    install,
    python_mounts,
    read_description,
    resolve,
    site_packages,
)
from chimes.environments.build import build_wheel
from chimes.environments.unpack import unpack
from chimes.errors import InstallError, NotFoundError, ResolutionError
from chimes.processes import scratch_folder
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
    with scratch_folder("chimes-") as scratch:
        file, built = _built(path, scratch, options) if path.is_dir() else (path, [])
        return _check_file(file, scratch, options, started, built)


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


def _built(folder: Path, scratch: Path, options: Options) -> tuple[Path, list[Result]]:
    """A project's wheel, and in a sandbox what the build did besides."""
    options.progress(f"building {folder.name}")
    out = scratch / "dist"
    out.mkdir()
    if not options.sandbox:
        return build_wheel(folder, out), []
    built = build_in_sandbox(folder, out, limits=options.rules.limits)
    events = tuple((event.kind, event.action, event.target) for event in built.events)
    subject = EntrySubject(distribution="", top_levels=(), entry={}, events=events)
    return built.wheel, [judge_one(BuildStays(), subject, None)]


def _check_file(file: Path, scratch: Path, options: Options, started: float, built: list[Result]) -> Report:
    options.progress(f"checking the file {file.name}")
    rules = options.rules.files
    with open_subject(file, limits=rules.limits) as subject:
        checked = run_checks(subject, rules=rules)
    results = [_result(item) for item in checked.results]
    failed = {result.code for result in results if result.verdict in ("fail", "infra")}
    draft = Draft(file, checked.sha256, scratch, options, started, [*results, *built])
    if checked.form != "wheel":
        return draft.report()
    is_library = checked.type == "library"
    if failed & UNSAFE or (is_library and not options.sandbox):
        return draft.report(_LIBRARY_NOT_RUN if is_library else _NOT_RUN)
    if is_library:
        return _check_library(draft)
    return _check_sandboxed(draft) if options.sandbox else _check_plain(draft)


@dataclass(frozen=True)
class Draft:
    """A file whose report is under way."""

    file: Path
    sha256: str
    scratch: Path
    options: Options
    started: float
    results: list[Result]

    def report(
        self,
        more: Iterable[Result] = (),
        components: Iterable[ComponentReport] = (),
        *,
        lock: Lock | None = None,
        logs: tuple[str, ...] = (),
    ) -> Report:
        """The report with what was found out beyond the file itself."""
        results = [*self.results, *more]
        return _report(
            self.file.name, self.sha256, self.options, self.started, results, components, lock=lock, logs=logs
        )


def _check_plain(draft: Draft) -> Report:
    site = draft.scratch / "site"
    unpack(draft.file, site)
    plugin = _installed(draft.file, site)
    if plugin is None:
        return draft.report(_not_installed())
    place = Place(distribution=plugin.name, site=str(site), limits=draft.options.rules.limits)
    ran, components, logs = _judge(place, _plain_env(), plugin, draft.options)
    return draft.report(ran, components, logs=logs)


def _check_library(draft: Draft) -> Report:
    try:
        environment, lock = _environment(draft, with_sdk=False)
    except (ResolutionError, InstallError) as error:
        return draft.report([_dependencies(refused=str(error), problems=[]), *_LIBRARY_NOT_RUN[1:]])
    options = draft.options
    judge = LibraryJudge(
        place=Place(
            distribution=normalize(draft.file.name.partition("-")[0]),
            site=str("/env" / site_packages(environment).relative_to(environment)),
            environment=environment,
            mounts=(Mount(environment, "/env"), *python_mounts(), *child_mounts()),
            limits=options.rules.limits,
            program=child_program(importable(draft.file)),
        ),
        env=SANDBOX_ENV,
        rules=options.rules,
        dependencies={"refused": None, "problems": dependency_problems(environment)},
        progress=options.progress,
    )
    results = judge.run()
    return draft.report(results, lock=lock, logs=judge.logs)


def _environment(draft: Draft, *, with_sdk: bool) -> tuple[Path, Lock]:
    """The folder that a sandbox mounts, and its lock. Raises ResolutionError, InstallError, InfrastructureError."""
    options = draft.options
    options.progress("making the environment")
    environment = draft.scratch / "environment"
    lock = resolve(draft.file, lock=options.lock, out=draft.scratch / "pylock.toml", with_sdk=with_sdk)
    install(base_environment(lock), draft.file, environment)
    if options.out is not None:
        shutil.copy(lock.path, options.out / "pylock.toml")
    return environment, lock


def _check_sandboxed(draft: Draft) -> Report:
    options = draft.options
    try:
        environment, lock = _environment(draft, with_sdk=True)
    except (ResolutionError, InstallError) as error:
        return draft.report([_dependencies(refused=str(error), problems=[]), *_NOT_RUN])
    dependencies = _dependencies(refused=None, problems=dependency_problems(environment))
    site = site_packages(environment)
    plugin = _installed(draft.file, site)
    if plugin is None:
        return draft.report([dependencies, *_not_installed()], lock=lock)
    place = Place(
        distribution=plugin.name,
        site=str("/env" / site.relative_to(environment)),
        environment=environment,
        mounts=(Mount(environment, "/env"), *python_mounts()),
        limits=options.rules.limits,
    )
    ran, components, logs = _judge(place, SANDBOX_ENV, plugin, options)
    return draft.report([dependencies, *ran], components, lock=lock, logs=logs)


def _installed(wheel: Path, site: Path) -> Distribution | None:
    """The wheel's own distribution: what it requires may be plugins, too."""
    name = normalize(wheel.name.partition("-")[0])
    return next((found for found in scan([str(site)]) if found.name == name), None)


def _not_installed() -> list[Result]:
    failure = "no distribution of the wheel's name has entry points once it is installed"
    first = judge_one(S01(), EntrySubject(distribution="", top_levels=(), entry=_nothing(failure), events=()), None)
    return [first, *(result for result in _NOT_RUN if result.code != first.code)]


def _nothing(failure: str) -> dict[str, Any]:
    return {"failure": failure, "components": [], "modules": [], "changed": []}


def _dependencies(*, refused: str | None, problems: list[str]) -> Result:
    return judge_one(S21(), {"refused": refused, "problems": problems}, None)


_NOT_RUN = tuple(Result(code=check.code, verdict="not_run") for check in ENTRY_CHECKS)
_LIBRARY_NOT_RUN = tuple(Result(code=check.code, verdict="not_run") for check in (S21, *LIBRARY_CHECKS))
SANDBOX_ENV = {
    "TMPDIR": f"{INSIDE_ROOT}/tmp",
    "ORT_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "ARROW_IO_THREADS": "2",
}


def _plain_env() -> dict[str, str]:
    # A coverage tool that follows children writes its data file in their name: S22 would blame the plugin.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "ORT_DISABLE_TELEMETRY": "1"}


def _judge(
    place: Place, env: dict[str, str], plugin: Distribution, options: Options
) -> tuple[list[Result], list[ComponentReport], tuple[str, ...]]:
    judge = Judge(
        place=place,
        env=env,
        top_levels=tuple({target.partition(".")[0] for _, target in plugin.entry_points}),
        rules=options.rules,
        nonce=options.nonce,
        readme=read_description(plugin.folder),
        progress=options.progress,
    )
    results, components = judge.run()
    return results, components, tuple(judge.logs)


def _result(item: CheckResult) -> Result:
    causes = {"fail": "own", "warn": "own", "infra": "infra"}
    return Result(
        code=item.code,
        verdict=item.verdict,
        cause=causes.get(item.verdict),
        findings=item.findings,
        facts=item.facts,
    )


def _report(
    file: str,
    digest: str | None,
    options: Options,
    started: float,
    results: Iterable[Result],
    components: Iterable[ComponentReport],
    *,
    lock: Lock | None = None,
    logs: tuple[str, ...] = (),
) -> Report:
    return Report(
        file=printable(file),
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
