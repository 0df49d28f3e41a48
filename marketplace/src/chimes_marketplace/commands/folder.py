"""The data folder of a command: finds it by option or environment, opens it, and makes it if the command may."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

# Tables refer to tables of other packages: all must be imported before rows are written.
import chimes_marketplace.tables  # noqa: F401
from chimes_marketplace.database import Database
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.migrations import check, migrate
from chimes_marketplace.settings import Settings

__all__ = ["data_option", "make_folder", "opened", "read_settings"]

USED = "give --data the folder that the server uses; serve and member add make one"
Function = TypeVar("Function", bound=Callable[..., Any])


def data_option(function: Function) -> Function:
    """Give a command the parameter ``data``: from --data here or before the verb, or from CHIMES_DATA_DIR."""
    decorated: Function = click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="CHIMES_DATA_DIR",
        callback=_chosen,
        help="The data folder. Default: the variable CHIMES_DATA_DIR.",
    )(function)
    return decorated


def read_settings(data: Path, *, make: bool = False) -> Settings:
    """The settings of the marketplace in that folder. ``make``: the folder may be made. Raises MarketplaceError."""
    if make:
        make_folder(data)
    elif not data.is_dir():
        raise MarketplaceError("not-found", f"there is no data folder {str(data)!r}", fix=USED)
    return Settings.read(data)


def make_folder(data: Path) -> None:
    """Make the data folder, readable only by its owner: it contains the secrets of stages."""
    if not data.is_dir():
        data.mkdir(parents=True, mode=0o700)


@contextlib.contextmanager
def opened(settings: Settings, *, make: bool = False) -> Iterator[Database]:
    """The database of that marketplace. Raises MarketplaceError if it cannot be used.

    ``make``: create or migrate it if needed; else nothing is changed, and a missing database is an error.
    """
    with contextlib.closing(_connected(settings)) as database:
        if not make:
            _check_file(settings, database)
        try:
            (migrate if make else check)(database)
            yield database
        except DBAPIError as error:
            # The driver's message, without the statement; it never contains an address with a password.
            raise _unusable(settings, str(error.orig)) from error


def _connected(settings: Settings) -> Database:
    try:
        return Database(settings.database)
    except (ImportError, NoSuchModuleError) as error:
        raise _unusable(settings, "there is no driver for it") from error
    except (ArgumentError, ValueError) as error:
        raise _unusable(settings, "it is not a valid database address") from error


def _check_file(settings: Settings, database: Database) -> None:
    url = database.engine.url
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name.startswith(("file:", ":memory:")) or Path(name).exists():
        return
    # SQLite would create an empty database.
    message = f"there is no database {name!r}, so {str(settings.data)!r} is not a data folder, or its database is lost"
    raise MarketplaceError("not-found", message, fix=f"{USED}; restore a lost one from a backup")


def _unusable(settings: Settings, reason: str) -> MarketplaceError:
    where = "CHIMES_MARKETPLACE_DATABASE_URL" if settings.database_url else str(settings.data / "marketplace.db")
    return MarketplaceError(
        "bad-setting",
        f"the database {where} cannot be used: {reason}",
        fix="check the file or address, or restore a backup of the data folder",
    )


def _chosen(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Path:
    before = ctx.find_root().obj
    source = ctx.get_parameter_source("data")
    if before is not None and source is not click.core.ParameterSource.COMMANDLINE:
        value = before
    if value is None:
        raise click.UsageError("the data folder is not named: add --data DIR, or set CHIMES_DATA_DIR", ctx)
    return value
