"""The checks of a plugin's description (P01, P02): a card for each component, in the README of the wheel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from chimes.checks.formats.sections import read_sections
from chimes.conformance.subject import EntrySubject
from chimes.conformance.suites.check import EntryCheck
from chimes.evidence.finding import Blocks, Finding, Severity
from chimes.evidence.record import Facts

__all__ = ["P01", "P02", "cards_of"]

CORE = ("Purpose", "Inputs", "Outputs", "Limits", "Contact")
REST = ("Known failures", "Citation")
PARTS = {part.casefold(): part for part in (*CORE, *REST)}


class _CardCheck(EntryCheck):
    parts: ClassVar[tuple[str, ...]]

    def look(self, subject: EntrySubject) -> Facts:
        """The missing or empty parts of each component's card; of one card for the plugin if no component is known."""
        names = [item.registration.name for item in subject.entry.components]
        cards = cards_of(subject.readme, names or [""])
        return {"missing": [[name, [part for part in self.parts if part not in card]] for name, card in cards.items()]}

    def conclude(self, facts: Facts) -> Iterable[Finding]:
        several = len(facts["missing"]) > 1
        for name, missing in facts["missing"]:
            if missing:
                whose = f"the card of {name}" if several else "the card"
                below = f" below one that names {name}" if several else ""
                yield self.finding(
                    f"{whose} lacks {', '.join(missing)}",
                    f"write in the README a heading{below} for each, with text",
                    where=name or None,
                )


class P01(_CardCheck):
    """Does each component have a card that says what it is for?

    The card is the plugin's README, as the wheel carries it: headings *Purpose*, *Inputs*, *Outputs*, *Limits* and
    *Contact*, each with text. Where a plugin has several components, a heading names each component and holds
    its parts; parts outside these headings apply to every component.
    """

    code = "P01"
    source = "Mitchell et al., Model Cards for Model Reporting (2019)"
    parts = CORE


class P02(_CardCheck):
    """Does each card say how the component fails, and how to cite it?

    Headings *Known failures* and *Citation* beside those of P01. Users who choose between two components need to
    know in which situations each one is wrong.
    """

    code = "P02"
    severity: ClassVar[Severity] = "warning"
    blocks: ClassVar[Blocks] = "certified"
    source = P01.source
    parts = REST


def cards_of(readme: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The parts, with their text, of the card of each of the components that have these names."""
    cards: dict[str, dict[str, str]] = {name: {} for name in names}
    shared: dict[str, str] = {}
    level, owner = 0, None
    for section in read_sections(readme):
        if section.level <= level:
            level, owner = 0, None
        if owner is None and len(names) > 1 and (owner := _owner(section.title, names)) is not None:
            level = section.level
        part = PARTS.get(section.title.strip(" *_:").casefold())
        if part is not None and section.is_written:
            (shared if owner is None else cards[owner]).setdefault(part, section.text.strip())
    return {name: {**shared, **card} for name, card in cards.items()}


def _owner(title: str, names: Sequence[str]) -> str | None:
    """The component that a heading names; None unless it names exactly one."""
    found = [name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", title, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None
