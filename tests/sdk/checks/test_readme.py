from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.files.readme import TEMPLATE_MARKER
from chimes.checks.formats.description import RST as RST_TYPE
from chimes.checks.formats.rendering import render
from chimes.evidence.verdict import CheckResult

Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]
MakeFile = Callable[..., Path]
START = "Metadata-Version: 2.1\nName: acme-model\nVersion: 1.0\n"
MARKDOWN = START + "Description-Content-Type: text/markdown; charset=UTF-8; variant=GFM\n\n"
RST = START + "Description-Content-Type: text/x-rst\n\n"


@pytest.mark.parametrize(
    "metadata",
    [
        MARKDOWN + "# Title\n\n<b>any *text is [Markdown\n",
        START + "Description-Content-Type: text/plain\n\nplain\n",
        RST + "Title\n=====\n\nText with ``code``.\n",
        START + "\nTitle\n=====\n\nreStructuredText is what an undeclared type means.\n",
        START + "Description: one line in a field\n",
    ],
)
def test_a_description_that_renders_passes(metadata: str, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A05", make_wheel(metadata=metadata))
    assert result.verdict == "pass", messages(result)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (RST + "Title\n=====\n\n.. nonsense:: x\n", "does not render as text/x-rst from line 4 on"),
        (RST + "`broken\n", "does not render as text/x-rst"),
        (START + "\n# Title\n\n`x <\n|a\n", "(no Description-Content-Type is given)"),
        (MARKDOWN + "<!-- only a comment -->\n", "does not render as text/markdown"),
        (START, "there is no description"),
        (START + "Description: UNKNOWN\n", "there is no description"),
        (MARKDOWN + "x" * (513 << 10), "more than the 524288 that are rendered"),
    ],
)
def test_a_description_that_does_not_render_is_a_warning(
    metadata: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A05", make_wheel(metadata=metadata))
    assert result.verdict == "warn"
    assert {(finding.severity, finding.blocks) for finding in result.findings} == {("warning", None)}
    assert words in messages(result)


def test_the_text_of_the_renderer_is_not_in_the_message(make_wheel: MakeFile, ask: Ask) -> None:
    (finding,) = ask("A05", make_wheel(metadata=RST + ".. nonsense:: x\n")).findings
    assert "nonsense" not in finding.message
    assert "nonsense" in (finding.said or "")


def test_rendering_an_expensive_description_is_stopped(make_wheel: MakeFile, ask: Ask) -> None:
    began = time.monotonic()
    result = ask("A05", make_wheel(metadata=RST + "* " * 4000 + "x\n"))
    assert result.verdict in ("pass", "warn")
    assert time.monotonic() - began < 70


def test_rendering_returns_the_line_and_the_problem() -> None:
    assert render("fine\n", RST_TYPE) == {"html": "<p>fine</p>\n", "line": None, "problem": ""}
    broken = render("fine\n\n.. nonsense:: x\n", RST_TYPE)
    assert (broken["html"], broken["line"]) == (None, 3)
    assert "nonsense" in str(broken["problem"])
    assert render("", RST_TYPE)["problem"] == "No content rendered from RST source."


def test_the_templates_own_text_is_a_warning(
    make_wheel: MakeFile, make_sdist: MakeFile, ask: Ask, messages: Messages
) -> None:
    assert ask("A06", make_wheel()).verdict == "pass"
    assert ask("A06", make_wheel(metadata=START)).verdict == "pass"
    text = f"{MARKDOWN}# Acme\n\n{TEMPLATE_MARKER}\n"
    result = ask("A06", make_wheel(metadata=text))
    assert result.verdict == "warn"
    assert "chimes:template-readme" in messages(result)
    assert ask("A06", make_sdist({"acme_model-1.0/PKG-INFO": text.encode()})).verdict == "warn"
