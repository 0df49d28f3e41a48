"""``chimes retry``: validate a submission again that was cancelled or could not be run."""

from __future__ import annotations

import click
from rich.console import Console

from chimes.cli.marketplace.client import Marketplace, marketplace_options
from chimes.cli.marketplace.polling import end_with, wait_for

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes retry 17
  chimes retry 17 --no-wait

A rejected submission is not tried again: correct it and publish it.

\b
Exit status:
  0  listed (with --no-wait: queued again)
  1  not listed: rejected, held for an admin, or cancelled
  2  not possible: no such submission, not in such a state, another member's, no server
"""


@click.command(epilog=EPILOG)
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--no-wait", is_flag=True, help="Do not wait for the validation.")
@marketplace_options
def command(number: int, no_wait: bool, url: str | None, token: str | None, as_json: bool) -> None:
    """Validate a cancelled submission again, or one that the marketplace could not run."""
    console = Console(stderr=True)
    marketplace = Marketplace.at(url, token)
    found = marketplace.change(number, "retry")
    if no_wait:
        end_with(found, console, as_json=as_json, status=0)
    wait_for(marketplace, number, console, as_json=as_json)
