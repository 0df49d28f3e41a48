"""Findings, verdict documents and run records can be read back from their JSON form."""

from __future__ import annotations

import json

import pytest
from chimes.evidence.finding import Finding, group_findings, sort_findings
from chimes.evidence.record import CheckRecord, RunRecord
from chimes.evidence.verdict import CheckResult, ComponentVerdict, RuleSet, VerdictDocument
from pydantic import ValidationError


def finding(code: str = "M01", severity: str = "error", where: str | None = None, said: str | None = None) -> Finding:
    return Finding.model_validate(
        {
            "code": code,
            "severity": severity,
            "blocks": "verified",
            "message": "it differs",
            "fix": "return the same values",
            "where": where,
            "said": said,
        }
    )


def document(*results: CheckResult) -> VerdictDocument:
    return VerdictDocument(
        file="acme_rain-1.0-py3-none-any.whl",
        sha256="0" * 64,
        sdk="0.1.0",
        sandboxed=True,
        rules=RuleSet(name="default", sha256="1" * 64),
        nonce_sha256="2" * 64,
        components=(ComponentVerdict(kind="model", name="rain", cases=("default",), checks=results),),
    )


def test_a_document_read_back_is_equal_and_gives_the_same_bytes() -> None:
    written = document(CheckResult(code="M01", verdict="fail", cause="own", findings=(finding(where="rain"),)))
    read = VerdictDocument.model_validate_json(written.to_bytes())
    assert read == written
    assert read.to_bytes() == written.to_bytes()
    assert [each.code for each in read.findings] == ["M01"]


def test_a_verdict_document_has_no_text_of_the_plugin_and_the_run_record_has_it() -> None:
    result = CheckResult(code="M07", verdict="fail", cause="own", findings=(finding("M07", said="random 0x7f"),))
    for written in (document(result), document().model_copy(update={"checks": ()})):
        assert b"0x7f" not in written.to_bytes()
    assert b"0x7f" in RunRecord(check_s=1, checks=(CheckRecord(code="M07", said=("random 0x7f",)),)).to_bytes()


@pytest.mark.parametrize("text", ["\udc80", "a\ud800b", "编\udcff鐘"])
def test_text_that_utf_8_cannot_hold_is_escaped_and_documents_are_written(text: str) -> None:
    found = finding(where=text, said=text)
    assert Finding.model_validate_json(found.model_dump_json()) == found
    facts = {"names": (text, [text]), text: float("nan")}
    record = RunRecord(check_s=1, checks=(CheckRecord(code="A01", facts=facts, said=(text,)),))
    assert RunRecord.model_validate_json(record.to_bytes()) == record
    written = document(CheckResult(code="M01", verdict="fail", findings=(found,))).to_bytes()
    assert b"\\\\ud" in written


def test_every_text_of_a_document_may_be_one_that_utf_8_cannot_hold() -> None:
    text = "a\ud800"
    checks = [{"code": text, "verdict": "pass", "inputs": []}]
    component = {"kind": "model", "name": text, "cases": [text], "checks": checks}
    form = document().model_dump(mode="json") | {"file": text, "lock": [text], "components": [component]}
    assert VerdictDocument.model_validate(form | {"rules": {"name": text, "sha256": "0"}}).to_bytes()
    recorded = {"kind": "model", "name": text, "checks": [{"code": text}]}
    record = {"check_s": 1.0, "checks": [{"code": text}], "components": [recorded], "lane": text, "nodes": [text]}
    assert RunRecord.model_validate(record).to_bytes()
    assert finding(text).model_dump_json()


def test_a_finding_without_text_of_the_plugin_has_no_such_member() -> None:
    assert "said" not in json.loads(finding().model_dump_json())
    assert json.loads(finding(said="boom").model_dump_json())["said"] == "boom"
    assert finding(said="boom").without_said() == finding()


@pytest.mark.parametrize(
    ("blocks", "severity", "expected"),
    [
        ("verified", "error", True),
        ("upload", "error", True),
        (None, "error", True),
        ("review", "error", False),
        ("certified", "error", False),
        ("verified", "warning", False),
    ],
)
def test_a_finding_rejects_by_severity_and_by_what_it_blocks(blocks: str, severity: str, expected: bool) -> None:
    form = {**finding().model_dump(), "blocks": blocks, "severity": severity}
    assert Finding.model_validate(form).rejects is expected


def test_findings_are_sorted_by_severity_then_code_then_place() -> None:
    found = [finding("B", "info"), finding("C", "warning"), finding("A", "warning"), finding("D", "error", "b")]
    expected = [("D", "b"), ("A", None), ("C", None), ("B", None)]
    assert [(each.code, each.where) for each in sort_findings(found)] == expected


def test_findings_that_differ_only_in_code_and_place_are_one_group() -> None:
    groups = group_findings([finding("M01", where="a"), finding("M02", where="b"), finding("M03", said="other")])
    assert [[each.code for each in group] for group in groups] == [["M01", "M02"], ["M03"]]


@pytest.mark.parametrize(
    "damage",
    [
        {"format": "chimes.verdict/2"},
        {"extra": 1},
        {"components": [{"kind": "robot", "name": "x", "cases": [], "checks": []}]},
        {"checks": [{"code": "A01", "verdict": "maybe"}]},
        {"checks": None},
    ],
)
def test_a_damaged_document_is_refused(damage: dict[str, object]) -> None:
    form = {**document().model_dump(mode="json"), **damage}
    with pytest.raises(ValidationError):
        VerdictDocument.model_validate_json(json.dumps(form))


def test_a_run_record_read_back_is_equal() -> None:
    record = RunRecord(check_s=1.5, checks=(CheckRecord(code="A01", seconds=0.1, facts={"size": 3}, said=("x",)),))
    assert RunRecord.model_validate_json(record.to_bytes()) == record
