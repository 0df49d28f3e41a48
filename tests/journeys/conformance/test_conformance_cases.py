"""The suite on plugins unlike its mutants: it fails every broken one and no correct one."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes.conformance.gate.mutants import Edit, strict_wheel
from chimes.conformance.options import Nonce, Options
from chimes.conformance.run import check_path
from journeys.conformance.broken_plugins import BROKEN, Broken
from journeys.conformance.sound_plugins import SOUND, Sound

THIEF = """
        import os
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            while True:
                for descriptor in range(3, 12):
                    try:
                        os.set_blocking(descriptor, False)
                        os.read(descriptor, 1)
                    except OSError:
                        pass
"""


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.check} {broken.summary}")
def test_a_plugin_that_breaks_a_rule_fails_that_check(broken: Broken, tmp_path: Path) -> None:
    report = check_path(strict_wheel(broken.kind, tmp_path, broken.edits), Options())
    failed = {result.code for result in report.results if result.verdict == "fail"}
    assert broken.check in failed, [(finding.message, finding.said) for finding in report.findings]
    assert "infra" not in {result.verdict for result in report.results}


@pytest.mark.parametrize("sound", SOUND, ids=lambda sound: sound.summary)
def test_an_unusual_but_correct_plugin_is_not_failed(sound: Sound, tmp_path: Path) -> None:
    report = check_path(sound.pack(tmp_path), Options())
    assert report.is_clean, [(finding.code, finding.message, finding.said) for finding in report.findings]


def test_a_process_left_running_cannot_read_requests_to_other_components(tmp_path: Path) -> None:
    columns = "        x, y = batch.column(0), batch.column(1)\n"
    wheel = strict_wheel("model", tmp_path, (Edit("model.py", columns, THIEF + columns),))
    options = Options(sandbox=True, nonce=Nonce(b"n" * 32))
    one, other = check_path(wheel, options), check_path(wheel, options)
    assert one.is_clean, [(finding.message, finding.said) for finding in one.findings]
    assert one.verdict_document() == other.verdict_document()
