"""The verbs of the command line, and the display of their errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click
from chimes.cli.commandline import LazyGroup
from chimes.errors import ChimesError

from chimes_marketplace import __version__
from chimes_marketplace.errors import MarketplaceError

__all__ = ["VERBS", "call", "group"]

# Each verb and its one-line help. Its command is `command` in chimes_marketplace.commands.<verb>.
VERBS = {
    "serve": "Run the marketplace on this machine.",
    "worker": "Validate submissions in a separate process, next to a server.",
    "member": "Members: add, list.",
    "user": "Users of members: add, list.",
    "token": "Upload tokens: create, list, revoke.",
    "submission": "Submissions: list, approve or reject held ones.",
    "fsck": "Compare the database with the files.",
}

EPILOG = """\b
Examples:
  chimes-marketplace serve --data market --port 8080
  chimes-marketplace member add acme --name "Acme Institute" --type research --data market
  chimes-marketplace token create --user alice --data market

Every command takes --data DIR, or CHIMES_DATA_DIR, and works while the server runs.

Exit status: 0 done, 1 the subject failed, 2 the command could not do its work.
"""


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    package="chimes_marketplace.commands",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="chimes-marketplace")
@click.option("--data", type=click.Path(path_type=Path), help="The data folder, for the command that follows.")
@click.pass_context
def group(ctx: click.Context, data: Path | None) -> None:
    """Operate a marketplace: a package index that lists a plugin only after running it."""
    ctx.obj = data


def call() -> None:
    """Run the command. An error is printed with its code, a message and a fix; the exit status is then 2."""
    try:
        group(prog_name="chimes-marketplace")
    except MarketplaceError as error:
        _refuse(error.code, error.message, error.fix)
    except ChimesError as error:
        _refuse(error.code, str(error), error.hint)
    except OSError as error:
        what = f"{str(error.filename)!r} cannot be used" if error.filename else "the system refused"
        fix = "check the path, your permissions on it, and the free space on its disk"
        _refuse("bad-setting", f"{what}: {error.strerror or error}", fix)


def _refuse(code: str, message: str, fix: str | None) -> NoReturn:
    click.echo(f"chimes-marketplace: {code}: {message}", err=True)
    if fix:
        click.echo(f"  fix: {fix}", err=True)
    sys.exit(2)
