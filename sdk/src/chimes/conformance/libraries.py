"""Judges a library in a sandbox: its modules are imported where only what it declares is, and nothing is called.

The library may be the SDK itself, of any version: so the child that imports stands alone, and the environment has the
judge's SDK only where the library requires it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimes.checks.engine import Outcome, judge_facts, run_check
from chimes.checks.subject import WheelSubject, open_subject
from chimes.conformance.child import imports
from chimes.conformance.engine import Progress
from chimes.conformance.entry import Entry
from chimes.conformance.rules import Rules
from chimes.conformance.subject import EntrySubject
from chimes.conformance.suites.behaviour import S09, S22
from chimes.conformance.suites.plugins import S21
from chimes.rpc.children import Children
from chimes.rpc.failure import StepFailedError
from chimes.rpc.process import Place

__all__ = ["LIBRARY_CHECKS", "PROGRAM", "LibraryJudge", "importable"]

LIBRARY_CHECKS = (S09, S22)
"""What is asked of a library that was imported, after S21."""
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
        """Import the modules in two fresh children, the second after what they need; S21, then the others."""
        self.progress(IMPORTING)
        subject, found = self.imported()
        if subject.failure is None:
            again, found_again = self.imported(first=found["brought"])
            subject.failure = again.failure
            subject.events = tuple(sorted({*subject.events, *again.events}))
            if again.failure is None and found["failures"] != found_again["failures"]:
                subject.failure = StepFailedError(IMPORTING, answer="changing")
            subject.entry, found = again.entry, found_again
        unimportable = found.get("failures", []) if subject.failure is None else []
        first = judge_facts(S21(), {**self.dependencies, "unimportable": unimportable})
        return [first, *(run_check(check(), subject) for check in LIBRARY_CHECKS)]

    def ask(self, children: Children, first: Sequence[str]) -> Any:
        """Import the modules in a child; the answer is not trusted. Raises StepFailedError."""
        return children.run("entry", IMPORTING, self.rules.call_s, modules=list(self.modules), first=list(first))

    def imported(self, first: Sequence[str] = ()) -> tuple[EntrySubject, dict[str, Any]]:
        """Import the modules in a fresh child, after modules of others."""
        found: dict[str, Any] = {}
        failure = None
        with Children(self.place, self.env) as children:
            try:
                found = _read(self.ask(children, first), self.modules)
            except StepFailedError as failed:
                failure = failed
            children.stop()
            events = {(event.kind, event.action, event.target) for event in children.events}
        self.logs = (*self.logs, *children.logs)
        subject = EntrySubject(
            distribution=self.place.distribution,
            top_levels=(),
            entry=Entry(changed=tuple(found.get("changed", ()))),
            events=tuple(sorted(events)),
            failure=failure,
            what="the library",
        )
        return subject, found


def _read(told: Any, asked: Sequence[str]) -> dict[str, Any]:
    """What the child tells, as far as it can be true. Raises StepFailedError."""
    try:
        failures = [[name, bool(is_missing), str(said)[:2000]] for name, is_missing, said in told["failures"]]
        names = [name for name, _, _ in failures]
        if names != [name for name in asked if name in names]:
            raise ValueError(names)
        changed = [str(what)[:100] for what in told["changed"][:20]]
        brought = [str(name)[:200] for name in told["brought"][:BROUGHT]]
        json.dumps([changed, brought])
    except (KeyError, TypeError, ValueError) as error:
        raise StepFailedError(IMPORTING, answer="type", said=str(error)[:2000]) from error
    return {"failures": failures, "changed": changed, "brought": brought}
