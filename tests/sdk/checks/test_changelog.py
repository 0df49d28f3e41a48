"""P03: a changelog in the wheel, with an entry for its version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.formats.sections import read_sections

INFO = "acme_model-1.0.dist-info"
IN_PACKAGE = "acme_model/CHANGELOG.md"
Ask = Callable[..., object]


@pytest.mark.parametrize(
    "text",
    [
        "## 1.0\n\nNew.",
        "# Changes\n\n## [1.0] - 2026-01-02\n\n### Added\n\n- It.\n",
        "v1.0 (2026)\n===========\n\nNew\n",
        "## Release 1.0.0, the first one\n- a\n",
        "\ufeff## 1.0\nNew\n\n## 0.9\n",
        "# 1.0 #\n\nNew",
    ],
)
def test_an_entry_for_the_version_passes(ask: Ask, make_wheel: Ask, text: str) -> None:
    assert ask("P03", make_wheel({IN_PACKAGE: text})).verdict == "pass"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "place", [IN_PACKAGE, "acme_model/changelog.md", f"{INFO}/extra_metadata/CHANGELOG.md", f"{INFO}/CHANGELOG.md"]
)
def test_a_changelog_may_be_in_the_package_or_in_the_metadata(ask: Ask, make_wheel: Ask, place: str) -> None:
    wheel = make_wheel({IN_PACKAGE: None, place: "## 1.0\n\nNew."})
    assert ask("P03", wheel).verdict == "pass"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("files", "phrase"),
    [
        ({IN_PACKAGE: None}, "the wheel has no CHANGELOG.md"),
        ({IN_PACKAGE: None, "acme_other/CHANGELOG.md": "## 1.0\n\nNew."}, "the wheel has no CHANGELOG.md"),
        ({IN_PACKAGE: "## 0.9\n\nOld."}, "no heading of the changelog names the version '1.0'"),
        ({IN_PACKAGE: "## 1.0.1\n\nOther."}, "no heading"),
        ({IN_PACKAGE: "It was 1.0 then.\n"}, "no heading"),
        ({IN_PACKAGE: "```\n## 1.0\n```\nNew\n"}, "no heading"),
        ({IN_PACKAGE: b"\xff\xfe\x00"}, "no heading"),
        ({IN_PACKAGE: "x" * (2 << 20)}, "no heading"),
        ({IN_PACKAGE: "## 1.0\n\n## 0.9\n\nOld."}, "says nothing of the version '1.0'"),
        ({IN_PACKAGE: "## 1.0\n\n- TODO\n"}, "says nothing of the version '1.0'"),
        ({IN_PACKAGE: "## 1.0\n\n### Added\n"}, "says nothing of the version '1.0'"),
    ],
)
def test_a_plugin_without_a_changelog_is_not_verified(
    ask: Ask, make_wheel: Ask, files: dict[str, str | None], phrase: str
) -> None:
    result = ask("P03", make_wheel(files))
    (finding,) = result.findings  # type: ignore[attr-defined]
    assert (finding.severity, finding.blocks) == ("error", "verified")
    assert phrase in finding.message


def test_a_library_needs_no_changelog(ask: Ask, make_wheel: Ask) -> None:
    library = make_wheel({IN_PACKAGE: None, f"{INFO}/entry_points.txt": None})
    assert ask("P03", library).verdict == "not_applicable"  # type: ignore[attr-defined]


def test_headings_of_both_languages_are_read(tmp_path: Path) -> None:
    text = "Top\n===\n\nOne\n---\n\na\n\n| x |\n|---|\n\n# Two #\n\n## Three\n\nb\n\n~~~\n# no\n~~~\n\nEnd\n---\n"
    sections = [(section.level, section.title, section.is_written) for section in read_sections(text)]
    assert sections == [(1, "Top", True), (2, "One", True), (1, "Two", True), (2, "Three", True), (2, "End", False)]


def test_reading_is_bounded() -> None:
    assert len(read_sections("# a\n" * 5000)) == 2000
    assert read_sections("# " + " " * (1 << 20)) == []
