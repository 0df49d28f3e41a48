"""``chimes-marketplace member``: the organisations of the alliance."""

from __future__ import annotations

from pathlib import Path

import click

from chimes_marketplace.accounts.members import TYPES, add_member, list_members
from chimes_marketplace.commands.folder import data_option, opened, read_settings
from chimes_marketplace.commands.rows import json_option, show

__all__ = ["command"]

ADD = """\b
Example:
  chimes-marketplace member add acme --name "Acme Institute" --type research --data market

Exit status: 0 added, 2 it was not.
"""
LIST = """\b
Example:
  chimes-marketplace member list --data market --json
"""


@click.group()
def command() -> None:
    """Members: organisations that own projects."""


@command.command("add", epilog=ADD)
@click.argument("slug")
@click.option("--name", required=True, help="The organisation's display name.")
@click.option("--type", "type_", required=True, metavar="TYPE", help=f"One of: {', '.join(TYPES)}.")
@data_option
def add(slug: str, name: str, type_: str, data: Path) -> None:
    """Add the member SLUG. If the data folder does not exist, it is made."""
    with opened(read_settings(data, make=True), make=True) as database, database.writing() as session:
        add_member(session, slug=slug, name=name, type=type_)
    click.echo(f"added the member {slug}")


@command.command("list", epilog=LIST)
@json_option
@data_option
def list_(as_json: bool, data: Path) -> None:
    """List the members."""
    with opened(read_settings(data)) as database, database.reading() as session:
        rows = [{"slug": row.slug, "name": row.name, "type": row.type} for row in list_members(session)]
    show(rows, as_json=as_json, empty="No members. Add one: chimes-marketplace member add SLUG --name N --type T")
