"""``chimes-marketplace fsck``: checks whether the database and the files agree."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from chimes_marketplace.commands.folder import data_option, opened, read_settings
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.validation.consistency import Comparison, compare

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes-marketplace fsck --data market
  chimes-marketplace fsck --data market --json

Reads every file once and changes nothing.

\b
Exit status:
  0  database and files agree
  1  they differ: each difference is printed with what to do
  2  could not compare: no such folder, the database cannot be read
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@data_option
def command(as_json: bool, data: Path) -> None:
    """Compare the database with the files."""
    settings = read_settings(data)
    with opened(settings) as database, database.reading() as session:
        found = compare(session, LocalBlobs(settings.data / "blobs"))
    if as_json:
        click.echo(json.dumps({"clean": not found.differences, **dataclasses.asdict(found)}, indent=2))
    else:
        _show(found)
    sys.exit(1 if found.differences else 0)


def _show(found: Comparison) -> None:
    for each in found.differences:
        click.echo(f"{each.where}: {each.message}\n  fix: {each.fix}")
    for each in found.notes:
        click.echo(f"note: {each.where}: {each.message}; {each.fix}")
    count = len(found.differences)
    verdict = "clean" if count == 0 else "1 difference" if count == 1 else f"{count} differences"
    click.echo(f"{verdict}: {found.rows} rows, {found.blobs} blobs")
