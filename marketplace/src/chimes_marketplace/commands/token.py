"""``chimes-marketplace token``: the secrets with which users upload."""

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

Prints only the token. It is shown only once: the marketplace stores its digest.
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
    """Tokens: the secrets with which users upload."""


@command.command("create", epilog=CREATE)
@click.option("--user", required=True, metavar="NAME", help="The user of the token.")
@click.option("--project", help="Valid only for this project. Default: all projects of the member.")
@click.option("--days", type=int, help="Days until it expires. Default: never.")
@data_option
def create(user: str, project: str | None, days: int | None, data: Path) -> None:
    """Create a token."""
    with opened(read_settings(data)) as database:
        with database.writing() as session:
            token = create_token(session, user=user, project=project, days=days)
        # Print it only after the commit.
        click.echo(token)


@command.command("list", epilog=LIST)
@click.option("--user", required=True, metavar="NAME", help="Whose tokens.")
@json_option
@data_option
def list_(user: str, as_json: bool, data: Path) -> None:
    """List the tokens of a user, without revoked ones; secrets are never shown."""
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
    """Revoke the token ID immediately and permanently."""
    with opened(read_settings(data)) as database, database.writing() as session:
        revoke_token(session, id=id)
    click.echo(f"revoked the token {id}")
