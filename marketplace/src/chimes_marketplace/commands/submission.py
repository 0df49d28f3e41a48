"""``chimes-marketplace submission``: lists submissions, approves or rejects held ones."""

from __future__ import annotations

from pathlib import Path

import click

from chimes_marketplace.commands.folder import data_option, opened, read_settings
from chimes_marketplace.commands.rows import json_option, show
from chimes_marketplace.submissions.overview import list_lines
from chimes_marketplace.submissions.states import MOVES, approve, reject

__all__ = ["command"]

ACTOR = "operator"
"""The actor in the timeline for steps by this command."""
LIST = """\b
Examples:
  chimes-marketplace submission list --data market
  chimes-marketplace submission list --state held --json --data market
"""
APPROVE = """\b
Example:
  chimes-marketplace submission approve 12 --reason "the name was granted" --data market

Exit status: 0 it was listed, 2 it was not.
"""
REJECT = """\b
Example:
  chimes-marketplace submission reject 12 --reason "the name belongs to another project" --data market

Exit status: 0 it was rejected, 2 it was not.
"""
ID = click.IntRange(1, 2**31 - 1)


@click.group()
def command() -> None:
    """Submissions: the files of a release that are judged together."""


@command.command("list", epilog=LIST)
@click.option("--state", type=click.Choice(tuple(MOVES)), help="Only submissions in this state.")
@json_option
@data_option
def list_(state: str | None, as_json: bool, data: Path) -> None:
    """List the submissions, newest first."""
    with opened(read_settings(data)) as database, database.reading() as session:
        rows = [
            {
                "id": line.id,
                "project": line.project,
                "version": line.version,
                "state": line.state,
                "opened": line.opened_at,
                "reason": line.reason,
            }
            for line in list_lines(session, state=state)
        ]
    show(rows, as_json=as_json, empty="No submissions." if state is None else f"No submission is {state}.")


@command.command("approve", epilog=APPROVE)
@click.argument("id", type=ID)
@click.option("--reason", required=True, help="The reason in one sentence; it is public.")
@data_option
def approve_(id: int, reason: str, data: Path) -> None:
    """List a held submission."""
    with opened(read_settings(data)) as database, database.writing() as session:
        approve(session, id=id, actor=ACTOR, reason=reason)
    click.echo(f"submission {id} is listed")


@command.command("reject", epilog=REJECT)
@click.argument("id", type=ID)
@click.option("--reason", required=True, help="The reason in one sentence; the author reads it.")
@data_option
def reject_(id: int, reason: str, data: Path) -> None:
    """Reject a held submission."""
    with opened(read_settings(data)) as database, database.writing() as session:
        reject(session, id=id, actor=ACTOR, reason=reason)
    click.echo(f"submission {id} is rejected")
