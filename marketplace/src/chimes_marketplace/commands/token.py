"""``chimes-marketplace token``: the secrets that users upload with."""

from __future__ import annotations

from pathlib import Path

import click

from chimes_marketplace.accounts.tokens import create_token, list_tokens, revoke_token
from chimes_marketplace.commands.folder import data_option, opened, read_settings
from chimes_marketplace.commands.rows import json_option, show

__all__ = ["command"]

CREATE = """\b
Examples:
  chimes-marketplace token create --user alice --data market
  chimes-marketplace token create --user ci --project acme-tools --days 90 --data market

Prints the token and nothing else. It is shown this once: only its digest is kept.
"""
LIST = """\b
Example:
  chimes-marketplace token list --user alice --data market
"""
REVOKE = """\b
Example:
  chimes-marketplace token revoke 3 --data market
"""


@click.group()
def command() -> None:
    """Tokens: what users upload with."""


@command.command("create", epilog=CREATE)
@click.option("--user", required=True, metavar="NAME", help="The user that it stands for.")
@click.option("--project", help="Only for this project. Default: all of the member's.")
@click.option("--days", type=int, help="Ends after so many days. Default: never.")
@data_option
def create(user: str, project: str | None, days: int | None, data: Path) -> None:
    """Create a token."""
    with opened(read_settings(data)) as database:
        with database.writing() as session:
            token = create_token(session, user=user, project=project, days=days)
        # Only now is it in the database.
        click.echo(token)


@command.command("list", epilog=LIST)
@click.option("--user", required=True, metavar="NAME", help="Whose tokens.")
@json_option
@data_option
def list_(user: str, as_json: bool, data: Path) -> None:
    """List the tokens of a user that were not revoked; never the secrets."""
    with opened(read_settings(data)) as database, database.reading() as session:
        rows = [
            {"id": row.id, "project": row.project, "created": row.created_at, "expires": row.expires_at}
            for row in list_tokens(session, user=user)
        ]
    empty = f"{user} has no token. Create one: chimes-marketplace token create --user {user}"
    show(rows, as_json=as_json, empty=empty)


@command.command("revoke", epilog=REVOKE)
@click.argument("id", type=click.IntRange(1, 2**31 - 1))
@data_option
def revoke(id: int, data: Path) -> None:
    """End the token ID at once and for ever."""
    with opened(read_settings(data)) as database, database.writing() as session:
        revoke_token(session, id=id)
    click.echo(f"revoked the token {id}")
