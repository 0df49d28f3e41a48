"""What becomes of a submission: pure, from the findings of its uploads and the verdicts of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chimes_marketplace.validation.checks import A20, Submitted
from chimes_marketplace.validation.verdict import Expected, assess, list_findings, rejects

__all__ = ["Decision", "Judged", "Ran", "decide"]

KEYS = ("code", "severity", "blocks", "message", "fix", "where")
ORDER = {"error": 0, "warning": 1, "info": 2}
VERIFIED = "verified"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How the last run of a wheel ended: clean, findings, infra or cancelled; and its verdict document."""

    outcome: str
    reason: str | None = None
    verdict: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One file of a submission. ``form``: wheel or sdist; ``findings``: of its upload; ``ran``: of a wheel only."""

    expected: Expected
    form: str
    findings: Sequence[Mapping[str, Any]] = ()
    ran: Ran | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """``state``: listed, rejected, held or infra. ``reason``: one sentence, None for listed."""

    state: str
    findings: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None
    components: list[dict[str, Any]] = field(default_factory=list)
    level: str | None = None


def decide(files: Sequence[Judged], *, listed_level: str | None = None) -> Decision:
    """All or nothing. ``listed_level``: that of the release if a wheel of it is listed.

    Only what was judged completely and found clean is listed or held; what could not be judged is infra.
    """
    wheels = [file for file in files if file.form == "wheel"]
    for wheel in wheels:
        if reason := _unjudged(wheel):
            return Decision(state="infra", findings=_findings(files), reason=f"{wheel.expected.filename}: {reason}")
    findings = _findings(files, _of_release(files, listed_level))
    if errors := [each for each in findings if rejects(each)]:
        codes = ", ".join(dict.fromkeys(each["code"] for each in errors))
        return Decision(state="rejected", findings=findings, reason=f"errors were found: {codes}")
    components = _components(wheels)
    level = VERIFIED if wheels else listed_level
    held = [each for each in findings if each["blocks"] == "review"]
    if held:
        reason = f"a person has to look at it: {held[0]['code']}, {held[0]['message']}"
        return Decision(state="held", findings=findings, reason=reason, components=components, level=level)
    return Decision(state="listed", findings=findings, components=components, level=level)


def _unjudged(wheel: Judged) -> str | None:
    """Why a wheel counts as not judged; None if its verdict can be believed."""
    if wheel.ran is None:
        return "it was not run"
    if wheel.ran.outcome not in ("clean", "findings"):
        return wheel.ran.reason or f"its run ended {wheel.ran.outcome}"
    assessment = assess(wheel.ran.verdict, wheel.expected)
    if assessment.outcome == "infra":
        return assessment.reason
    return None if assessment.outcome == wheel.ran.outcome else "its run ended otherwise than its verdict document says"


def _of_release(files: Sequence[Judged], listed_level: str | None) -> list[dict[str, Any]]:
    check = A20()
    subject = Submitted(forms=[file.form for file in files], has_listed_wheel=listed_level is not None)
    return [_chosen(finding.model_dump(), None) for finding in check.judge(check.observe(subject))]


def _findings(files: Sequence[Judged], more: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """Of uploads and runs, each once, errors first."""
    found = [*more, *(_chosen(each, file.expected.filename) for file in files for each in _said_of(file))]
    unique = {tuple(each[key] for key in KEYS): each for each in found}
    return sorted(unique.values(), key=lambda each: (ORDER.get(each["severity"], 0), each["code"], each["where"] or ""))


def _said_of(file: Judged) -> Iterator[Mapping[str, Any]]:
    yield from file.findings
    if file.ran is not None and assess(file.ran.verdict, file.expected).outcome in ("clean", "findings"):
        assert file.ran.verdict is not None
        yield from list_findings(file.ran.verdict)


def _chosen(finding: Mapping[str, Any], filename: str | None) -> dict[str, Any]:
    where = ": ".join(part for part in (filename, finding.get("where")) if part)
    return {key: finding.get(key) for key in KEYS} | {"where": where or None}


def _components(wheels: Sequence[Judged]) -> list[dict[str, Any]]:
    """What all wheels have together; a component is seeded where its rows were known in every wheel."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for wheel in wheels:
        assert wheel.ran is not None
        assert wheel.ran.verdict is not None
        for each in wheel.ran.verdict["components"]:
            key = (each["kind"], each["name"])
            seeded = all(result["verdict"] != "not_run" for result in each["checks"])
            before = found.get(key, {"seeded": True})["seeded"]
            found[key] = {"kind": key[0], "name": key[1], "level": VERIFIED, "seeded": seeded and before}
    return [found[key] for key in sorted(found)]
