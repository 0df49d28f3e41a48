"""Judges a library in a sandbox: its modules are imported in an environment of its declared dependencies only.

The library may be the SDK itself, in any version. Therefore the program of the child needs only the standard library,
and the environment contains the judge's SDK only if the library requires it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chimes.checks.engine import Outcome, judge_facts, run_check
from chimes.checks.subject import WheelSubject, open_subject
from chimes.conformance.child import imports
from chimes.conformance.entry import Entry
from chimes.conformance.options import Progress
from chimes.conformance.rules import Rules
from chimes.conformance.subject import EntrySubject
from chimes.conformance.suites.behaviour import S09, S22
from chimes.conformance.suites.plugins import S21
from chimes.rpc.children import Children
from chimes.rpc.failure import StepFailedError
from chimes.rpc.process import Place
from chimes.sandbox import Event

__all__ = ["LIBRARY_CHECKS", "PROGRAM", "LibraryJudge", "importable"]

LIBRARY_CHECKS = (S09, S22)
"""The checks of an imported library, after S21."""
IMPORTING = "importing the library"
PROGRAM = Path(imports.__file__)
"""The program of a library's children."""
MOST, DEEPEST, BROUGHT = 32, 4, 10_000
MODULE = re.compile(r"\.(?:py|so|[-\w]+\.so)$")


def importable(wheel: Path) -> tuple[str, ...]:
    """The modules and packages at the top of a wheel, those of a namespace included, by name; 32 at most.

    Names that begin with an underscore are left out where there are others.
    """
    with open_subject(wheel, deep=False) as subject:
        assert isinstance(subject, WheelSubject)
        tree: dict[str, Any] = {}
        for _, path in subject.library_paths():
            branch = tree
            *folders, file = path.split("/")
            for folder in folders:
                branch = branch.setdefault(folder, {})
            branch.setdefault(file, {})
    found = sorted(_modules(tree, ()))
    return tuple([name for name in found if not name.startswith("_")][:MOST] or found[:MOST])


def _modules(tree: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    for name, below in tree.items():
        stem = MODULE.sub("", name)
        if stem == name and below and name.isidentifier() and len(above) < DEEPEST:
            if any(MODULE.sub("", inner) == "__init__" for inner in below if MODULE.search(inner)):
                yield ".".join((*above, name))
            else:
                yield from _modules(below, (*above, name))
        elif stem != name and not below and not above and stem.isidentifier():
            yield stem


@dataclass(frozen=True, kw_only=True)
class LibraryImport:
    """One import of a library's modules in a fresh child.

    ``failures``: each module that failed, whether it lacks another module, and its error. ``brought``: the modules
    of other distributions that were imported with it. ``failure``: why the child gave no usable answer.
    """

    failures: tuple[tuple[str, bool, str], ...] = ()
    changed: tuple[str, ...] = ()
    brought: tuple[str, ...] = ()
    events: frozenset[Event] = frozenset()
    failure: StepFailedError | None = None


@dataclass(kw_only=True)
class LibraryJudge:
    """One run over one library. ``dependencies`` are the facts of its environment."""

    place: Place
    modules: tuple[str, ...]
    env: dict[str, str]
    rules: Rules
    dependencies: Mapping[str, Any]
    progress: Progress = lambda _: None
    logs: tuple[str, ...] = ()

    def run(self) -> list[Outcome]:
        """Import the modules in two fresh children, in the second after their dependencies; run S21 and the others."""
        self.progress(IMPORTING)
        first = self.import_modules()
        second = first if first.failure else self.import_modules(after=first.brought)
        failure = first.failure or second.failure
        if failure is None and first.failures != second.failures:
            failure = StepFailedError(IMPORTING, answer="changing")
        subject = EntrySubject(
            distribution=self.place.distribution,
            top_levels=(),
            entry=Entry(changed=second.changed),
            events=tuple(first.events | second.events),
            failure=failure,
            what="the library",
        )
        unimportable = [] if failure else [list(each) for each in second.failures]
        outcome = judge_facts(S21(), {**self.dependencies, "unimportable": unimportable})
        return [outcome, *(run_check(check(), subject) for check in LIBRARY_CHECKS)]

    def import_modules(self, after: Sequence[str] = ()) -> LibraryImport:
        """Import the modules in a fresh child, after the modules in ``after``."""
        with Children(self.place, self.env) as children:
            try:
                arguments = {"modules": list(self.modules), "first": list(after)}
                found = _read(children.run("entry", IMPORTING, self.rules.call_s, **arguments), self.modules)
            except StepFailedError as error:
                found = LibraryImport(failure=error)
            children.stop()
        self.logs = (*self.logs, *children.logs)
        return replace(found, events=frozenset(children.events))


def _read(answer: Any, modules: Sequence[str]) -> LibraryImport:
    """Read a child's answer, which is not trusted. Raises StepFailedError."""
    try:
        failures = tuple((name, bool(is_missing), str(error)[:2000]) for name, is_missing, error in answer["failures"])
        names = [name for name, _, _ in failures]
        if names != [name for name in modules if name in names]:
            raise ValueError(names)
        changed = tuple(str(name)[:100] for name in answer["changed"][:20])
        brought = tuple(str(name)[:200] for name in answer["brought"][:BROUGHT])
    except (KeyError, TypeError, ValueError) as error:
        raise StepFailedError(IMPORTING, answer="type", said=str(error)[:2000]) from error
    return LibraryImport(failures=failures, changed=changed, brought=brought)
