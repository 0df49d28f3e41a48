"""All conformance checks, in the order in which they are run."""

from __future__ import annotations

from typing import Any

from chimes.checks.check import Check
from chimes.conformance.suites.backends import B02, B03, B05, B09, B12, B13
from chimes.conformance.suites.behaviour import S09, S22
from chimes.conformance.suites.cards import P01, P02
from chimes.conformance.suites.check import ConformanceCheck, EntryCheck
from chimes.conformance.suites.connectors import D02, D04, D05, D09, D12
from chimes.conformance.suites.models import M02, M04, M07, M08, M09, M11, M14
from chimes.conformance.suites.plugins import S01, S02, S05, S08, S21

__all__ = ["CHECKS", "COMPONENT_CHECKS", "ENTRY_CHECKS"]

ENTRY_CHECKS: tuple[type[EntryCheck], ...] = (S01, S08, S09, P01, P02)

# S22 comes last: it judges the events of all checks before it.
COMPONENT_CHECKS: tuple[type[ConformanceCheck], ...] = (
    *(S05, S02),
    *(M02, M04, M07, M08, M09, M11, M14),
    *(D02, D04, D05, D09, D12),
    *(B02, B03, B05, B09, B12, B13),
    S22,
)
CHECKS: tuple[type[Check[Any]], ...] = tuple(
    sorted((*ENTRY_CHECKS, S21, *COMPONENT_CHECKS), key=lambda check: check.code)
)
