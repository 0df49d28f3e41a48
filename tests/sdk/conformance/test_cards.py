"""P01 and P02: the README is the card of each component."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes.checks.engine import run_check
from chimes.conformance.entry import Entry, RegisteredComponent
from chimes.conformance.gate.mutants import Edit, strict_wheel
from chimes.conformance.options import Nonce, Options
from chimes.conformance.run import check_path
from chimes.conformance.subject import EntrySubject
from chimes.conformance.suites.cards import P01, cards_of
from chimes.registration import Registration

CORE = ("Purpose", "Inputs", "Outputs", "Limits", "Contact")


def card(*parts: str, level: int = 2) -> str:
    return "\n".join(f"{'#' * level} {part}\n\nText of {part}.\n" for part in parts)


def test_the_card_of_a_single_component_may_have_headings_of_any_level() -> None:
    more = f"## More\n\n{card('Outputs', 'Limits', level=4)}\nContact\n-------\nx@y\n"
    readme = f"# acme\n\n{card('Purpose', 'Inputs')}\n{more}"
    assert set(cards_of(readme, ["rain"])["rain"]) == set(CORE)


def test_a_heading_without_text_is_not_a_part() -> None:
    readme = "## Purpose\n\n## Inputs\n\nTODO\n\n## Outputs\n\n### Columns\n\nx\n\n## Limits\n\nNone.\n"
    assert set(cards_of(readme, ["rain"])["rain"]) == {"Outputs", "Limits"}


def test_a_heading_for_each_of_several_components_holds_its_parts_and_the_rest_is_shared() -> None:
    readme = (
        f"# acme\n\n## Contact\n\nshared\n\n## Model `rain`\n\n{card('Purpose', 'Contact', level=3)}\n"
        f"## snow\n\n{card('Inputs', level=3)}\n## Citation\n\nus\n\n## rain and snow\n\n{card('Limits', level=3)}\n"
    )
    cards = cards_of(readme, ["rain", "snow"])
    assert set(cards["rain"]) == {"Purpose", "Contact", "Citation", "Limits"}
    assert set(cards["snow"]) == {"Inputs", "Contact", "Citation", "Limits"}
    assert (cards["rain"]["Contact"], cards["snow"]["Contact"]) == ("Text of Contact.", "shared")


def test_a_name_inside_another_name_does_not_count() -> None:
    readme = f"## rain-radar\n\n{card('Purpose', level=3)}\n## rain\n\n{card('Inputs', level=3)}\n"
    cards = cards_of(readme, ["rain", "rain-radar"])
    assert (set(cards["rain"]), set(cards["rain-radar"])) == ({"Inputs"}, {"Purpose"})


@pytest.mark.parametrize("heading", CORE)
def test_a_card_without_one_part_is_failed_with_its_name(heading: str) -> None:
    registration = Registration(name="rain", summary="Rain.", target="acme.model:Model", api="chimes.model/1")
    subject = EntrySubject(
        distribution="acme",
        top_levels=("acme",),
        entry=Entry(components=(RegisteredComponent(kind="model", registration=registration),)),
        events=(),
        readme=card(*(part for part in CORE if part != heading)),
    )
    outcome = run_check(P01(), subject)
    assert outcome.result.verdict == "fail"
    assert [finding.message for finding in outcome.result.findings] == [f"the card lacks {heading}"]


@pytest.mark.parametrize(
    ("heading", "code", "verdict", "blocks"),
    [("Purpose", "P01", "fail", "verified"), ("Citation", "P02", "warn", "certified")],
)
def test_a_part_that_is_missing_is_named(tmp_path: Path, heading: str, code: str, verdict: str, blocks: str) -> None:
    wheel = strict_wheel("model", tmp_path, (Edit("README.md", f"## {heading}\n", "## Other\n"),))
    report = check_path(wheel, Options(nonce=Nonce(b"n" * 32)))
    (finding,) = report.findings
    assert (finding.code, finding.message, finding.blocks) == (code, f"the card lacks {heading}", blocks)
    assert next(result for result in report.checks if result.code == code).verdict == verdict
    assert report.is_clean == (code == "P02")
