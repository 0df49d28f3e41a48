"""``chimes-marketplace user``: the people and programs that act for members."""

from __future__ import annotations

from pathlib import Path

import click

from chimes_marketplace.accounts.members import add_user, list_users
from chimes_marketplace.commands.folder import data_option, opened, read_settings
from chimes_marketplace.commands.rows import json_option, show

__all__ = ["command"]

ADD = """\b
Examples:
  chimes-marketplace user add alice --member acme --data market
  chimes-marketplace user add root --member centre --role admin --data market

Exit status: 0 added, 2 it was not.
"""
LIST = """\b
Example:
  chimes-marketplace user list --data market --json
"""


@click.group()
def command() -> None:
    """Users: people and programs that act for a member."""


@command.command("add", epilog=ADD)
@click.argument("name")
@click.option("--member", required=True, metavar="SLUG", help="The member that the user acts for.")
@click.option("--role", metavar="admin", help="admin: may see everything that is not listed.")
@data_option
def add(name: str, member: str, role: str | None, data: Path) -> None:
    """Add the user NAME to a member."""
    with opened(read_settings(data)) as database, database.writing() as session:
        add_user(session, name=name, member=member, role=role)
    click.echo(f"added the user {name}")


@command.command("list", epilog=LIST)
@json_option
@data_option
def list_(as_json: bool, data: Path) -> None:
    """List the users."""
    with opened(read_settings(data)) as database, database.reading() as session:
        rows = [{"name": user.name, "member": member.slug, "role": user.role} for user, member in list_users(session)]
    show(rows, as_json=as_json, empty="No users. Add one: chimes-marketplace user add NAME --member SLUG")
