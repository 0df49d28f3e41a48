"""A check of one file: which forms it is asked of, and which rules it is judged by."""

from __future__ import annotations

from typing import ClassVar, Generic, Literal, TypeVar

from chimes.checks.check import Blocks, Check
from chimes.checks.rules import DEFAULT_RULES, FileRules
from chimes.checks.subject import Form, Subject, WheelSubject

__all__ = ["FileCheck", "WheelCheck"]

F = TypeVar("F", bound=Subject)


class FileCheck(Check[F], Generic[F]):
    """One question about a wheel or an sdist."""

    blocks: ClassVar[Blocks] = "upload"
    forms: ClassVar[frozenset[Form]] = frozenset({"wheel", "sdist"})
    types: ClassVar[frozenset[Literal["plugin", "library"]] | None] = None
    """Whether only plugins or only libraries are asked; None: all."""
    needs_members: ClassVar[bool] = True
    """Without members to look at the check is not run; the archive check says why there are none."""

    def __init__(self, rules: FileRules = DEFAULT_RULES) -> None:
        self.rules = rules

    @classmethod
    def applies_to(cls, subject: Subject) -> bool:
        """Whether the question makes sense for this file."""
        return subject.form in cls.forms and (cls.types is None or subject.type in cls.types)


class WheelCheck(FileCheck[WheelSubject]):
    """One question about a wheel; an sdist is asked through the wheel it builds."""

    forms: ClassVar[frozenset[Form]] = frozenset({"wheel"})
