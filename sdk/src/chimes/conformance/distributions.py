"""Runs the checks of one distribution, a file or an installed one, and makes the report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chimes.checks.check import Check
from chimes.checks.engine import Outcome, judge_facts, run_check, skip_check
from chimes.checks.run import run_file_checks
from chimes.checks.subject import open_subject
from chimes.conformance.build import Built
from chimes.conformance.catalogue import ENTRY_CHECKS
from chimes.conformance.engine import PLUGIN, PluginRun
from chimes.conformance.entry import Entry
from chimes.conformance.options import Options
from chimes.conformance.places import (
    SANDBOX_ENV,
    find_plugin,
    make_environment,
    plain_env,
    sandboxed_place,
    unpack_plugin,
)
from chimes.conformance.report import ComponentReport, Report
from chimes.conformance.subject import EntrySubject
from chimes.conformance.suites.behaviour import BUILD, S22
from chimes.conformance.suites.libraries import LIBRARY_CHECKS, PROGRAM, LibraryJudge, importable
from chimes.conformance.suites.plugins import S01, S21
from chimes.environments import dependency_problems, read_description, site_packages
from chimes.errors import InstallError, ResolutionError
from chimes.evidence.verdict import RuleSet
from chimes.registry import Distribution, normalize
from chimes.rpc.process import Place
from chimes.sandbox import Event
from chimes.text import escape

__all__ = ["DistributionRun", "FileRun"]

UNSAFE = frozenset({"A01", "A02", "A03"})
"""File checks: if one of them fails, the file is neither unpacked nor run."""
NO_PLUGIN = "no distribution of the wheel's name has entry points once it is installed"


@dataclass(kw_only=True)
class DistributionRun:
    """An unfinished report: the outcomes so far."""

    options: Options
    name: str
    started: float = field(default_factory=time.monotonic)
    sha256: str | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    components: list[ComponentReport] = field(default_factory=list)
    lock: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()

    def report(self) -> Report:
        """The finished report."""
        rules = self.options.rules
        return Report(
            file=escape(self.name, limit=500),
            sha256=self.sha256,
            sandboxed=self.options.sandbox,
            rules=RuleSet(name=rules.name, sha256=rules.sha256),
            nonce_sha256=self.options.nonce.sha256,
            lock=self.lock,
            outcomes=tuple(self.outcomes),
            components=tuple(self.components),
            logs=self.logs,
            seconds=time.monotonic() - self.started,
        )

    def check_plugin(self, plugin: Distribution) -> None:
        """Run the suite over an installed plugin, on this machine without a sandbox."""
        limits = self.options.rules.limits
        place = Place(program=PLUGIN, distribution=plugin.name, site=str(plugin.folder.parent), limits=limits)
        self.run_plugin(plugin, place, plain_env())

    def run_plugin(self, plugin: Distribution, place: Place, env: Mapping[str, str]) -> None:
        """Run the suite over an installed plugin."""
        suite = PluginRun(
            place=place,
            env=dict(env),
            top_levels=tuple({target.partition(".")[0] for _, target in plugin.entry_points}),
            rules=self.options.rules,
            nonce=self.options.nonce,
            readme=read_description(plugin.folder),
            progress=self.options.progress,
        )
        outcomes, self.components = suite.run()
        self.outcomes += outcomes
        self.logs = suite.logs


@dataclass(kw_only=True)
class FileRun(DistributionRun):
    """An unfinished report of a file."""

    file: Path
    scratch: Path

    def check_file(self, built: Built | None) -> None:
        """Check the file; unless it is unsafe to unpack, run what it contains. ``built``: by the build of a project."""
        self.options.progress(f"checking the file {self.name}")
        rules = self.options.rules.files
        with open_subject(self.file, limits=rules.limits) as subject:
            self.outcomes += run_file_checks(subject, rules=rules)
            self.sha256, type = subject.sha256, subject.type
        failed = {each.result.code for each in self.outcomes if each.result.verdict in ("fail", "infra")}
        if built is not None and built.events is not None:
            self.outcomes.append(run_check(S22(), _build_subject(built.events)))
        is_safe = not failed & UNSAFE
        match type:
            case "plugin" if is_safe:
                self.check_sandboxed() if self.options.sandbox else self.check_plain()
            case "plugin":
                self.skip(ENTRY_CHECKS)
            case "library" if is_safe and self.options.sandbox:
                self.check_library()
            case "library":
                self.skip((S21, *LIBRARY_CHECKS))

    def check_plain(self) -> None:
        """Run a plugin with the packages of this interpreter."""
        plugin = unpack_plugin(self.file, self.scratch)
        if plugin is None:
            self.skip_plugin()
        else:
            self.check_plugin(plugin)

    def check_sandboxed(self) -> None:
        """Run a plugin in a sandbox, with an environment of its own."""
        environment = self.make_environment(with_sdk=True)
        if environment is None:
            self.skip(ENTRY_CHECKS)
            return
        self.outcomes.append(_dependencies(problems=dependency_problems(environment)))
        plugin = find_plugin(self.file, site_packages(environment))
        if plugin is None:
            self.skip_plugin()
        else:
            place = sandboxed_place(plugin.name, environment, self.options.rules.limits, program=PLUGIN)
            self.run_plugin(plugin, place, SANDBOX_ENV)

    def check_library(self) -> None:
        """Import the modules of a library in a sandbox."""
        environment = self.make_environment(with_sdk=False)
        if environment is None:
            self.skip(LIBRARY_CHECKS)
            return
        suite = LibraryJudge(
            place=sandboxed_place(
                normalize(self.name.partition("-")[0]),
                environment,
                self.options.rules.limits,
                program=PROGRAM,
            ),
            modules=importable(self.file),
            env=dict(SANDBOX_ENV),
            rules=self.options.rules,
            dependencies={"refused": None, "problems": dependency_problems(environment)},
            progress=self.options.progress,
        )
        self.outcomes += suite.run()
        self.logs = suite.logs

    def make_environment(self, *, with_sdk: bool) -> Path | None:
        """The folder that a sandbox mounts; None, and S21 fails, if the dependencies cannot be installed."""
        self.options.progress("making the environment")
        try:
            environment, lock = make_environment(self.file, self.scratch, lock=self.options.lock, with_sdk=with_sdk)
        except (ResolutionError, InstallError) as error:
            self.outcomes.append(_dependencies(refused=str(error)))
            return None
        self.lock = lock.lines
        if self.options.out is not None:
            shutil.copy(lock.path, self.options.out / "pylock.toml")
        return environment

    def skip_plugin(self) -> None:
        """Fail S01 because the installed wheel is not a plugin; skip the other checks."""
        subject = EntrySubject(distribution="", top_levels=(), entry=Entry(failure=NO_PLUGIN), events=())
        self.outcomes.append(run_check(S01(), subject))
        self.skip([check for check in ENTRY_CHECKS if check is not S01])

    def skip(self, checks: Sequence[type[Check[Any]]]) -> None:
        """Record that these checks were not run."""
        self.outcomes += [skip_check(check.code) for check in checks]


def _build_subject(events: Iterable[Event]) -> EntrySubject:
    return EntrySubject(distribution="", top_levels=(), entry=Entry(), events=tuple(events), what=BUILD)


def _dependencies(*, refused: str | None = None, problems: Sequence[str] = ()) -> Outcome:
    return judge_facts(S21(), {"refused": refused, "problems": list(problems)})
