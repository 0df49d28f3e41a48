"""The checks of files, by code.

A13 (the name looks like another one's) and A14 (other bytes under a listed name) are asked by the
marketplace, which knows the names and bytes that are there.
"""

from __future__ import annotations

from typing import Any

from chimes.checks.archive import ArchiveSafe
from chimes.checks.changelog import ChangelogTells
from chimes.checks.contents import ContentsImportable, TopLevelOwn
from chimes.checks.entrypoints import EntryPointsHold
from chimes.checks.filecheck import FileCheck
from chimes.checks.metadata import MetadataValid
from chimes.checks.names import NamesAgree
from chimes.checks.platforms import BuiltForCentre
from chimes.checks.readme import ReadmeOwn, ReadmeRenders
from chimes.checks.record import RecordExact
from chimes.checks.reserved import NamesFree
from chimes.checks.scripts import ScriptsOwn
from chimes.checks.startup import StartUp, StartUpLibrary

__all__ = ["FILE_CHECKS", "find_check"]

FILE_CHECKS: tuple[type[FileCheck[Any]], ...] = (
    ArchiveSafe,
    RecordExact,
    NamesAgree,
    MetadataValid,
    ReadmeRenders,
    ReadmeOwn,
    TopLevelOwn,
    ContentsImportable,
    StartUp,
    StartUpLibrary,
    ScriptsOwn,
    NamesFree,
    EntryPointsHold,
    BuiltForCentre,
    ChangelogTells,
)
"""All of them, in the order of their codes."""


def find_check(code: str) -> type[FileCheck[Any]] | None:
    """The check with this code, None if there is none among the checks of files."""
    return next((check for check in FILE_CHECKS if check.code == code.upper()), None)
