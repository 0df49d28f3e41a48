"""The checks of files, by code.

A13 (the name looks like another one) and A14 (other bytes under a listed name) are checks of the marketplace, which
knows the listed names and bytes.
"""

from __future__ import annotations

from typing import Any

from chimes.checks.filecheck import FileCheck
from chimes.checks.files.archive import ArchiveSafe
from chimes.checks.files.changelog import ChangelogCurrent
from chimes.checks.files.contents import ContentsImportable, TopLevelOwn
from chimes.checks.files.entrypoints import EntryPointsValid
from chimes.checks.files.metadata import MetadataValid
from chimes.checks.files.names import NamesAgree
from chimes.checks.files.platforms import BuiltForCentre
from chimes.checks.files.readme import ReadmeOwn, ReadmeRenders
from chimes.checks.files.record import RecordExact
from chimes.checks.files.reserved import NamesFree
from chimes.checks.files.scripts import ScriptsOwn
from chimes.checks.files.startup import StartUp, StartUpLibrary

__all__ = ["FILE_CHECKS"]

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
    EntryPointsValid,
    BuiltForCentre,
    ChangelogCurrent,
)
"""All of them, in the order of their codes."""
