"""Decides a submission from the findings of its uploads and the outcomes of its runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from chimes.evidence.finding import Finding, sort_findings
from chimes.evidence.verdict import VerdictDocument

from chimes_marketplace.catalog.components import Level, ListedComponent
from chimes_marketplace.validation.checks import A20, Submitted

__all__ = ["Decision", "JudgedFile", "LastRun", "decide"]


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The last run of a wheel: its outcome (clean, findings, infra, cancelled) and its verdict document."""

    outcome: str
    reason: str | None = None
    verdict: VerdictDocument | None = None


@dataclass(frozen=True, kw_only=True)
class JudgedFile:
    """One file of a submission. ``form``: wheel or sdist; ``findings``: of its upload; ``last_run``: of a wheel."""

    filename: str
    form: str
    findings: Sequence[Finding] = ()
    last_run: LastRun | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The next state of a submission. ``reason``: one sentence, None for listed."""

    state: Literal["listed", "rejected", "held", "infra"]
    findings: tuple[Finding, ...] = ()
    reason: str | None = None
    components: tuple[ListedComponent, ...] = ()
    level: Level | None = None


def decide(files: Sequence[JudgedFile], *, listed_level: Level | None = None) -> Decision:
    """Decide all files of a submission together. ``listed_level``: of the release, if a wheel of it is listed.

    Only completely judged files are listed or held; if a file could not be judged, the submission is infra.
    """
    wheels = [file for file in files if file.form == "wheel"]
    for wheel in wheels:
        if reason := _why_unjudged(wheel):
            return Decision(state="infra", findings=_findings(files), reason=f"{wheel.filename}: {reason}")
    findings = _findings(files, _of_release(files, listed_level))
    if errors := [each for each in findings if each.rejects]:
        codes = ", ".join(dict.fromkeys(each.code for each in errors))
        return Decision(state="rejected", findings=findings, reason=f"errors were found: {codes}")
    components = _components(wheels)
    level: Level | None = "verified" if wheels else listed_level
    held = [each for each in findings if each.blocks == "review"]
    if held:
        reason = f"an administrator must decide: {held[0].code}, {held[0].message}"
        return Decision(state="held", findings=findings, reason=reason, components=components, level=level)
    return Decision(state="listed", findings=findings, components=components, level=level)


def _why_unjudged(wheel: JudgedFile) -> str | None:
    """Why a wheel counts as not judged; None if the outcome of its run is clean or findings."""
    if wheel.last_run is None:
        return "it was not run"
    if wheel.last_run.outcome not in ("clean", "findings"):
        return wheel.last_run.reason or f"its run ended {wheel.last_run.outcome}"
    return "its verdict document cannot be read" if wheel.last_run.verdict is None else None


def _of_release(files: Sequence[JudgedFile], listed_level: Level | None) -> list[Finding]:
    check = A20()
    subject = Submitted(forms=[file.form for file in files], has_listed_wheel=listed_level is not None)
    return check.judge(check.observe(subject))


def _findings(files: Sequence[JudgedFile], more: Sequence[Finding] = ()) -> tuple[Finding, ...]:
    """The findings of uploads and runs, without duplicates, errors first."""
    found = [*more, *(_placed(each, file.filename) for file in files for each in _findings_of(file))]
    return tuple(sort_findings(dict.fromkeys(found)))


def _findings_of(file: JudgedFile) -> Iterator[Finding]:
    yield from file.findings
    if (
        file.last_run is not None
        and file.last_run.outcome in ("clean", "findings")
        and file.last_run.verdict is not None
    ):
        yield from file.last_run.verdict.findings


def _placed(finding: Finding, filename: str) -> Finding:
    where = ": ".join(filter(None, (filename, finding.where)))
    return finding.model_copy(update={"where": where, "said": None})


def _components(wheels: Sequence[JudgedFile]) -> tuple[ListedComponent, ...]:
    """The components of all wheels. One is seeded if its rows were known in every wheel."""
    found: dict[tuple[str, str], ListedComponent] = {}
    for wheel in wheels:
        assert wheel.last_run is not None
        assert wheel.last_run.verdict is not None
        for each in wheel.last_run.verdict.components:
            key = (each.kind, each.name)
            seeded = all(result.verdict != "not_run" for result in each.checks)
            seeded = seeded and (key not in found or found[key].seeded)
            found[key] = ListedComponent(kind=each.kind, name=each.name, level="verified", seeded=seeded)
    return tuple(found[key] for key in sorted(found))
