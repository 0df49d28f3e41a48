"""A check of one file: the forms of file that it applies to, and the rules that it judges by."""

from __future__ import annotations

from typing import ClassVar, Generic, Literal, TypeVar

from chimes.checks.check import Check
from chimes.checks.rules import DEFAULT_RULES, FileRules
from chimes.checks.subject import Form, Subject, WheelSubject
from chimes.evidence.finding import Blocks

__all__ = ["FileCheck", "WheelCheck"]

F = TypeVar("F", bound=Subject)


class FileCheck(Check[F], Generic[F]):
    """One question about a wheel or an sdist."""

    blocks: ClassVar[Blocks] = "upload"
    forms: ClassVar[frozenset[Form]] = frozenset({"wheel", "sdist"})
    types: ClassVar[frozenset[Literal["plugin", "library"]] | None] = None
    """The types of distribution that it applies to; None for all."""
    needs_members: ClassVar[bool] = True
    """Whether the check is not run on an archive whose members cannot be read (A01 reports that)."""

    def __init__(self, rules: FileRules = DEFAULT_RULES) -> None:
        self.rules = rules


class WheelCheck(FileCheck[WheelSubject]):
    """One question about a wheel. An sdist is checked through the wheel that is built from it."""

    forms: ClassVar[frozenset[Form]] = frozenset({"wheel"})
