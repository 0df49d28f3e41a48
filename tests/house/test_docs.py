"""The documentation is true: generated pages are fresh, links and paths exist, examples run (their own tests)."""

from __future__ import annotations

import re
import sys
from dataclasses import fields

from chimes.checks.rules import ArchiveLimits, FileRules
from chimes.processes import run
from chimes.sandbox import Limits
from chimes_marketplace.settings import Settings
from house_tree import ROOT, source_files

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


def test_a_page_names_only_files_that_exist() -> None:
    missing = []
    for page in PAGES:
        text = page.read_text("utf-8")
        links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]
        missing += [f"{page}: {link}" for link in links if not (page.parent / link).exists()]
        missing += [f"{page}: {path}" for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert not missing


def test_every_decision_fits_on_a_page() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert records
    for record in records:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", record.name)
        assert record.read_text("utf-8").count("\n") <= 60, record.name


def test_every_setting_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    sources = [*source_files(ROOT / "sdk" / "src"), *source_files(ROOT / "plugins")]
    used = {name for path in sources for name in re.findall(r"\bCHIMES_[A-Z_]+", path.read_text("utf-8"))}
    limits = {field.name for field in fields(Limits)}
    keys = (limits | ArchiveLimits.model_fields.keys() | FileRules.model_fields.keys()) - {"limits"}
    assert not {name for name in used | keys if name not in text}


def test_every_setting_of_the_marketplace_is_on_the_operators_page() -> None:
    text = (ROOT / "docs" / "howto" / "operate-a-marketplace.md").read_text("utf-8")
    names = {f"CHIMES_MARKETPLACE_{name.upper()}" for name in Settings.model_fields if name != "data"}
    assert not {name for name in names if f"`{name}`" not in text}


def test_every_command_on_the_operators_page_exists() -> None:
    text = (ROOT / "docs" / "howto" / "operate-a-marketplace.md").read_text("utf-8")
    reference = (ROOT / "docs" / "reference" / "marketplace-commands.md").read_text("utf-8")
    used = set(re.findall(r"^chimes-marketplace ([a-z]+(?: (?:add|list|create|revoke|approve|reject))?)", text, re.M))
    assert len(used) > 5
    assert not {verb for verb in used if f"## `chimes-marketplace {verb}`" not in reference}
