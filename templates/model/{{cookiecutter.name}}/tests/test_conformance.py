"""The conformance suite of Chimes, run on the installed plugin."""

from chimes.conformance.run import check_installed


def test_every_component_passes_the_conformance_suite() -> None:
    report = check_installed("{{ cookiecutter.name }}")
    errors = [finding for finding in report.findings if finding.severity == "error"]
    assert errors == []
