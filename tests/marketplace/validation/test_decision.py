"""The decision about a submission, for every kind of document that its runs may write."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from chimes.evidence.finding import Finding
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.lanes.results import Assessment, Expected
from chimes_marketplace.validation.assessment import assess
from chimes_marketplace.validation.decision import Decision, JudgedFile, LastRun, decide
from hypothesis import given
from hypothesis import strategies as st
from scripted_lane import finding, passing

NONCE = "5a" * 32
WHEEL = Expected(filename="rain-1.0-py3-none-any.whl", sha256="ab" * 32, nonce=NONCE, type="plugin")
SDIST = JudgedFile(filename="rain-1.0.tar.gz", form="sdist")
Verdict = dict[str, Any]


def clean() -> Verdict:
    return passing(WHEEL.filename, WHEEL.sha256, WHEEL.nonce)


def assessed(document: Verdict) -> Assessment:
    return assess(json.dumps(document).encode(), WHEEL)


def wheel(document: Verdict, *, findings: Sequence[Finding] = ()) -> JudgedFile:
    """A wheel whose run ended with that document."""
    assessment = assessed(document)
    last_run = LastRun(outcome=assessment.outcome, reason=assessment.reason, verdict=assessment.verdict)
    return JudgedFile(filename=WHEEL.filename, form="wheel", last_run=last_run, findings=findings)


def found(*findings: dict[str, Any], verdict: str = "fail") -> Verdict:
    document = clean()
    document["checks"][0] |= {"verdict": verdict, "findings": list(findings)}
    return document


def test_a_clean_wheel_is_listed_as_verified() -> None:
    decision = decide([wheel(clean())])
    component = ListedComponent(kind="model", name="rain", level="verified", seeded=True)
    assert decision == Decision(state="listed", components=(component,), level="verified")


@pytest.mark.parametrize("blocks", ["verified", "upload", None])
def test_an_error_rejects_and_is_shown_with_its_file(blocks: str | None) -> None:
    decision = decide([wheel(found(finding(blocks=blocks)))])
    assert (decision.state, decision.reason) == ("rejected", "errors were found: S08")
    assert [each.where for each in decision.findings] == [WHEEL.filename]
    assert (decision.components, decision.level) == ((), None)


def test_a_finding_that_blocks_review_holds_the_submission_with_its_components() -> None:
    decision = decide([wheel(found(finding("P09", blocks="review")))])
    assert (decision.state, decision.level) == ("held", "verified")
    assert decision.reason == "an administrator must decide: P09, m"
    assert len(decision.components) == 1


def test_a_finding_of_the_upload_can_hold_a_clean_wheel() -> None:
    decision = decide([wheel(clean(), findings=[Finding.model_validate(finding("A13", "error", "review"))])])
    assert decision.state == "held"


def test_warnings_are_shown_once_and_do_not_block() -> None:
    warning = finding("A07", "warning", None)
    decision = decide([wheel(found(warning, verdict="warn"), findings=[Finding.model_validate(warning)])])
    assert (decision.state, [each.code for each in decision.findings]) == ("listed", ["A07"])


def change(key: str, value: object) -> Callable[[Verdict], object]:
    return lambda document: document.__setitem__(key, value)


AMISS: dict[str, tuple[Callable[[Verdict], object], str]] = {
    "another format": (change("format", "chimes.verdict/2"), "cannot be understood: format"),
    "another file": (change("file", "other.whl"), "file differs"),
    "other bytes": (change("sha256", "00" * 32), "sha256 differs"),
    "another nonce": (change("nonce_sha256", "00" * 32), "nonce_sha256 differs"),
    "no sandbox": (change("sandboxed", False), "sandboxed differs"),
    "no component": (change("components", []), "no component was judged"),
    "a file check left out": (lambda d: d["checks"].pop(0), "A01 was not run"),
    "an entry check not run": (lambda d: d["checks"][-1].update(verdict="not_run"), "was not run"),
    "a component check not run": (
        lambda d: d["components"][0]["checks"][0].update(verdict="not_run"),
        "M07 was not run on model rain",
    ),
    "a component without checks": (lambda d: d["components"][0].update(checks=[]), "no check was run on model rain"),
    "a check that failed itself": (lambda d: d["checks"][3].update(verdict="infra"), "itself failed"),
    "a check that failed itself, with its finding": (
        lambda d: d["checks"][3].update(verdict="infra", findings=[finding()]),
        "itself failed",
    ),
    "a failure without a finding": (lambda d: d["checks"][3].update(verdict="fail"), "itself failed"),
    "checks of another shape": (change("checks", 7), "cannot be understood: checks"),
    "an unknown verdict": (
        lambda d: d["checks"][3].update(verdict="perfect"),
        "understood: checks.3.verdict",
    ),
    "an unknown key": (change("clean", True), "cannot be understood: clean"),
    "a key left out": (lambda d: d.pop("rules"), "cannot be understood: rules"),
}


@pytest.mark.parametrize("name", AMISS)
def test_an_inconsistent_document_is_infra_with_a_reason(name: str) -> None:
    spoil, phrase = AMISS[name]
    document = clean()
    spoil(document)
    decision = decide([wheel(document)])
    assert decision.state == "infra"
    assert decision.reason is not None
    assert decision.reason.startswith(f"{WHEEL.filename}: ")
    assert phrase in decision.reason


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"checks": ' * 50_000], ids=len)
def test_bytes_that_are_not_a_document_are_infra(data: bytes) -> None:
    assert assess(data, WHEEL).outcome == "infra"


@pytest.mark.parametrize(
    ("last_run", "phrase"),
    [
        (None, "it was not run"),
        (LastRun(outcome="clean"), "its verdict document cannot be read"),
        (LastRun(outcome="infra", reason="the disk is full"), "the disk is full"),
        (LastRun(outcome="cancelled"), "its run ended cancelled"),
    ],
)
def test_a_wheel_that_was_not_judged_is_infra(last_run: LastRun | None, phrase: str) -> None:
    decision = decide([JudgedFile(filename=WHEEL.filename, form="wheel", last_run=last_run)])
    assert decision.state == "infra"
    assert phrase in (decision.reason or "")


def test_findings_are_ordered_by_severity_code_and_place() -> None:
    wanted = [("error", "A02"), ("error", "S08"), ("warning", "A01"), ("info", "A03")]
    found = [Finding.model_validate(finding(code, severity, None)) for severity, code in reversed(wanted)]
    decision = decide([wheel(clean(), findings=found)])
    assert [(each.severity, each.code) for each in decision.findings] == wanted


def test_one_wheel_that_was_not_judged_makes_the_submission_infra() -> None:
    lost = JudgedFile(filename="other.whl", form="wheel", last_run=LastRun(outcome="infra"))
    decision = decide([wheel(clean()), lost, wheel(found(finding()))])
    assert decision.state == "infra"


def test_an_sdist_is_listed_with_its_wheel_or_after_it() -> None:
    assert decide([wheel(clean()), SDIST]).state == "listed"
    after = decide([SDIST], listed_level="verified")
    assert (after.state, after.level, after.components) == ("listed", "verified", ())


@pytest.mark.parametrize("files", [[SDIST], []])
def test_a_submission_without_a_wheel_is_rejected_with_a_fix(files: list[JudgedFile]) -> None:
    decision = decide(files)
    assert decision.state == "rejected"
    assert [(each.code, each.fix) for each in decision.findings] == [("A20", "upload its wheel with it")]


def test_a_source_that_cannot_be_seeded_is_listed_and_marked() -> None:
    document = clean()
    document["components"][0]["checks"].append({"code": "D05", "verdict": "not_run", "findings": []})
    assert decide([wheel(document)]).components[0].seeded is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


IDENTITY = ("checks", "components", "file", "format", "nonce_sha256", "sandboxed", "sha256")


@given(st.sampled_from(IDENTITY), JSON)
def test_no_document_with_another_value_anywhere_is_clean(key: str, value: object) -> None:
    document = copy.deepcopy(clean())
    if document[key] == value and type(document[key]) is type(value):
        return
    document[key] = value
    assert assessed(document).outcome == "infra"
