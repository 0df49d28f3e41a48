"""Locks, atomic renames and /proc are used in one place each."""

from __future__ import annotations

import re

from house_tree import ROOT, source_files

SOURCES = ("sdk/src", "plugins", "marketplace/src")
RULES = {
    r"fcntl\.flock": {"sdk/src/chimes/files.py"},
    r"os\.replace\(": {"sdk/src/chimes/files.py"},
    r"(?:open|Path|listdir|exists|readlink|stat|statvfs|iterdir)\(\s*[frb]*[\"']/proc\b": {"sdk/src/chimes/processes/"},
}
"""A pattern, and the files or folders that may contain it."""
EXCEPTIONS = {
    # Runs in a child, where the SDK may not be installed.
    "sdk/src/chimes/rpc/bootstrap.py": next(pattern for pattern in RULES if "proc" in pattern),
}


def test_locks_renames_and_proc_are_used_in_one_place_each() -> None:
    wrong = []
    for source in (path for folder in SOURCES for path in source_files(ROOT / folder) if "tests" not in path.parts):
        name, text = str(source.relative_to(ROOT)), source.read_text("utf-8")
        for pattern, places in RULES.items():
            is_allowed = name.startswith(tuple(places)) or EXCEPTIONS.get(name) == pattern
            if re.search(pattern, text) and not is_allowed:
                wrong.append(f"{name}: {pattern}")
    assert not wrong
