"""Checks of a submission as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chimes.checks.check import Check
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts

__all__ = ["A20", "Submitted"]


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """The forms (wheel, sdist) of a submission's files, and whether its release has a listed wheel."""

    forms: Sequence[str]
    has_listed_wheel: bool


class A20(Check[Submitted]):
    """Does the release have a wheel?

    Only a wheel is installed and run here, so only a wheel can be judged; an sdist is listed together with the
    wheel of its release, or after it. Build both: `python -m build` makes them from the same source.
    """

    code = "A20"
    source = "PEP 517: installing an sdist runs its build"

    def observe(self, subject: Submitted) -> Facts:
        """The forms of the files, and whether a wheel is listed."""
        return {"forms": sorted(subject.forms), "has_listed_wheel": subject.has_listed_wheel}

    def judge(self, facts: Facts) -> list[Finding]:
        """A wheel must be among the files, or listed."""
        if "wheel" in facts["forms"] or facts["has_listed_wheel"]:
            return []
        what = "only an sdist" if facts["forms"] else "no file"
        return [self.finding(f"the release has {what}, and no wheel to be judged", "upload its wheel with it")]
