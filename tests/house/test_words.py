"""The text of the project is plain English: phrases that a stranger stumbles over do not occur in it."""

from __future__ import annotations

import re
from pathlib import Path

from chimes.processes import run
from house_tree import ROOT

PHRASES = re.compile(
    r"\b(?:nobody|whoever|somebody|all the same|as it likes|for want of|of which (?:nothing|no)|so much (?:a|as)"
    r"|who (?:sends|reads|asks|takes|loses|writes|looks|waits)|what (?:becomes|became) of"
    r"|(?-i:(?<!there )(?:is|are) none))\b",
    re.IGNORECASE,
)
SUFFIXES = {".py", ".md", ".html", ".toml", ".po", ".json", ""}


def test_no_file_has_one_of_the_phrases() -> None:
    found = []
    for path in _tracked():
        if path.suffix in SUFFIXES and path != Path(__file__).resolve():
            lines = path.read_text("utf-8", errors="replace").splitlines()
            found += [
                f"{path}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if PHRASES.search(line)
            ]
    assert not found


def _tracked() -> list[Path]:
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    names = [name for name in listed.stdout.decode("utf-8").split("\0") if name]
    return [path for name in names if (path := ROOT / name).is_file() and path.name not in ("uv.lock", "LICENSE")]
