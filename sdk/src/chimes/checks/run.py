"""Runs all checks of one file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chimes.checks.catalogue import FILE_CHECKS
from chimes.checks.engine import Outcome, run_check, skip_check
from chimes.checks.filecheck import FileCheck
from chimes.checks.rules import DEFAULT_RULES, FileRules
from chimes.checks.subject import Subject

__all__ = ["run_file_checks"]


def run_file_checks(
    subject: Subject, checks: Iterable[type[FileCheck[Any]]] = FILE_CHECKS, rules: FileRules = DEFAULT_RULES
) -> tuple[Outcome, ...]:
    """Run ``checks`` on an open file. Never raises for what is in the file or for a check that crashes.

    A check that does not apply to the file is ``not_applicable``; one that needs the archive's members is ``not_run``
    where they cannot be read, which is a finding of A01.
    """
    return tuple(_run(kind, subject, rules) for kind in checks)


def _run(kind: type[FileCheck[Any]], subject: Subject, rules: FileRules) -> Outcome:
    if subject.form not in kind.forms:
        return skip_check(kind.code, "not_applicable")
    if kind.needs_members and not subject.frame.readable:
        return skip_check(kind.code)
    if kind.types is not None and subject.type not in kind.types:
        return skip_check(kind.code, "not_applicable")
    return run_check(kind(rules), subject)
