"""Whether a run's documents can be believed, and what they say: pure, and closed where anything is amiss."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from chimes.checks.catalogue import FILE_CHECKS
from chimes.conformance.catalogue import COMPONENT_CHECKS, ENTRY_CHECKS
from chimes.conformance.libraries import LIBRARY_CHECKS
from chimes.conformance.suites.plugins import S21

__all__ = ["Assessment", "Expected", "assess", "list_findings", "list_results", "rejects"]

FORMAT = "chimes.verdict/1"
FILE_CODES = frozenset(check.code for check in FILE_CHECKS)
REQUIRED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "plugin": FILE_CODES | {check.code for check in ENTRY_CHECKS} | {S21.code},
        "library": FILE_CODES | {check.code for check in LIBRARY_CHECKS} | {S21.code},
    }
)
"""Type of a distribution to the checks that a clean verdict must have asked of the file and its entry."""
SEEDED = frozenset(check.code for check in COMPONENT_CHECKS if check.seeded)
"""Checks that are not run, by plan, where a harness cannot fill its source."""
ASKED = ("pass", "warn", "fail", "not_applicable", "waived")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Which run it was to be: the file, its bytes, the nonce (hex), the type of its distribution."""

    filename: str
    sha256: str
    nonce: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """``outcome``: clean, findings (severity error) or infra; ``reason``: why infra, in one sentence."""

    outcome: str
    reason: str | None = None


def assess(verdict: Mapping[str, Any] | None, expected: Expected) -> Assessment:
    """What the verdict document of a run comes to. Whatever cannot be understood is infra, never clean."""
    if verdict is None:
        return _infra("the run left no verdict document")
    try:
        return _foreign(verdict, expected) or _judged(verdict, expected)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return _infra(f"the verdict document cannot be understood ({type(error).__name__})")


def rejects(finding: Mapping[str, Any]) -> bool:
    """Whether a finding stands in the way of listing, whatever a person thinks of it."""
    # An error that blocks nothing known is no reason to list.
    return finding["severity"] == "error" and finding["blocks"] not in ("review", "certified")


def list_results(verdict: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every result: of the file and its entry, then of each component."""
    yield from verdict["checks"]
    for component in verdict["components"]:
        yield from component["checks"]


def list_findings(verdict: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every finding."""
    for result in list_results(verdict):
        yield from result["findings"]


def _foreign(verdict: Mapping[str, Any], expected: Expected) -> Assessment | None:
    wanted = {
        "format": FORMAT,
        "file": expected.filename,
        "sha256": expected.sha256,
        "nonce_sha256": hashlib.sha256(bytes.fromhex(expected.nonce)).hexdigest(),
        "sandboxed": True,
    }
    wrong = [key for key, value in wanted.items() if verdict.get(key) != value]
    return _infra(f"the verdict document is not that of this run: its {wrong[0]} differs") if wrong else None


def _judged(verdict: Mapping[str, Any], expected: Expected) -> Assessment:
    errors = [finding for finding in list_findings(verdict) if finding["severity"] == "error"]
    if any(rejects(finding) for finding in errors):
        return Assessment(outcome="findings")
    broken = [result["code"] for result in list_results(verdict) if _is_broken(result)]
    if broken:
        return _infra(f"the check {broken[0]} itself failed")
    missing = _missing(verdict, expected.type)
    if missing:
        return _infra(f"the run is not complete: {missing}")
    return Assessment(outcome="findings" if errors else "clean")


def _is_broken(result: Mapping[str, Any]) -> bool:
    # A check that failed says why.
    silent = not any(finding["severity"] == "error" for finding in result["findings"])
    return result["verdict"] in ("infra", "stale") or (result["verdict"] == "fail" and silent)


def _missing(verdict: Mapping[str, Any], type: str) -> str | None:
    asked = {result["code"] for result in verdict["checks"] if result["verdict"] in ASKED}
    if absent := sorted(REQUIRED[type] - asked):
        return f"{absent[0]} was not run"
    if type == "plugin" and not verdict["components"]:
        return "no component was judged"
    for component in verdict["components"]:
        name = f"{component['kind']} {component['name']}"
        if not component["checks"]:
            return f"nothing was asked of {name}"
        for result in component["checks"]:
            allowed = (*ASKED, "not_run") if result["code"] in SEEDED else ASKED
            if result["verdict"] not in allowed:
                return f"{result['code']} was not run on {name}"
    return None


def _infra(reason: str) -> Assessment:
    return Assessment(outcome="infra", reason=reason)
