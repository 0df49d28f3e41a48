"""The documentation is true: generated pages are fresh, links and paths exist, examples run (their own tests)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from chimes.process import run
from house_tree import ROOT

PAGES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/*.md"),
        *ROOT.glob("examples/*.md"),
    ]
    if "{{" not in str(path)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:sdk|plugins|templates|docs|tests|benchmarks|examples|tools|\.ci)/[\w./-]+)`")


def test_the_generated_reference_is_fresh() -> None:
    done = run([sys.executable, str(ROOT / "tools" / "reference.py"), "--check"])
    assert done.returncode == 0, done.text


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_only_files_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert not missing


def test_every_decision_fits_on_a_page() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert records
    for record in records:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", record.name)
        assert record.read_text("utf-8").count("\n") <= 60, record.name
