"""The suite by plugins that its mutants do not resemble: it fails what is broken, and nothing that is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes.conformance.mutants import strict_wheel
from chimes.conformance.run import Options, check_path
from journeys.broken_plugins import BROKEN, Broken
from journeys.sound_plugins import SOUND, Sound


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.check} {broken.summary}")
def test_a_plugin_that_breaks_a_rule_is_failed_by_its_check(broken: Broken, tmp_path: Path) -> None:
    report = check_path(strict_wheel(broken.kind, tmp_path, broken.edits), Options())
    failed = {result.code for result in report.results if result.verdict == "fail"}
    assert broken.check in failed, [(finding.message, finding.said) for finding in report.findings]
    assert "infra" not in {result.verdict for result in report.results}


@pytest.mark.parametrize("sound", SOUND, ids=lambda sound: sound.summary)
def test_a_plugin_that_is_right_in_its_own_way_is_not_failed(sound: Sound, tmp_path: Path) -> None:
    report = check_path(sound.pack(tmp_path), Options())
    assert report.is_clean, [(finding.code, finding.message, finding.said) for finding in report.findings]
