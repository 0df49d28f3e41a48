"""``chimes cancel``: cancel a submission that is not decided yet."""

from __future__ import annotations

import click
from rich.console import Console

from chimes.cli.marketplace.client import Marketplace, marketplace_options
from chimes.cli.marketplace.polling import end_with

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes cancel 17
  chimes cancel 17 --url https://market.example.org --json

The files of a cancelled submission may be uploaded again, changed or not, under the same version.

\b
Exit status:
  0  cancelled
  2  not possible: no such submission, decided already, another member's, no server
"""


@click.command(epilog=EPILOG)
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@marketplace_options
def command(number: int, url: str | None, token: str | None, as_json: bool) -> None:
    """Cancel a submission that is staged, validating or held."""
    found = Marketplace.at(url, token).change(number, "cancel")
    end_with(found, Console(stderr=True), as_json=as_json, status=0)
