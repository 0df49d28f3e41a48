"""Brings a database to the tables of this code, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from chimes_marketplace.database import Database
from chimes_marketplace.errors import MarketplaceError

__all__ = ["check", "head", "migrate"]

FOLDER = Path(__file__).parent
LOCK = 20_615_843
"""The number of the lock that starters share on a database that has no single writer."""


def migrate(database: Database) -> None:
    """Make the tables, or change them to those of this code; nothing happens where they are.

    Safe to call from many processes at once. Raises MarketplaceError ``conflict`` for a database that a newer
    version has migrated.
    """
    with _alone(database) as connection:
        if _known(connection) != head():
            command.upgrade(_config(connection), "head")


def check(database: Database) -> None:
    """Whether the tables are those of this code; changes nothing.

    Raises MarketplaceError ``not-found`` where there are none, ``conflict`` for those of another version.
    """
    with database.reading() as session:
        current = _known(session.connection())
    if current is None:
        raise MarketplaceError(
            "not-found",
            f"the database {database.engine.url.render_as_string()} has no tables",
            fix="restore it from a backup; serve and member add make a new one",
        )
    if current != head():
        raise MarketplaceError(
            "conflict",
            f"the database is at revision {current}, and this version works with {head()}",
            fix="end the server of the older version and start this one: it migrates the database",
        )


def head() -> str:
    """The revision that this code works with."""
    found = _scripts().get_current_head()
    assert found is not None
    return found


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    # SQLite lets one in at a time from the start of a writing transaction; PostgreSQL is asked for a lock.
    with database.changing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


def _known(connection: Connection) -> str | None:
    """The revision that the database is at. Raises MarketplaceError ``conflict`` for one of a newer version."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in _revisions():
        raise MarketplaceError(
            "conflict",
            f"the database is at revision {current}, which this version does not know",
            fix="install the chimes-marketplace that migrated it, or restore the backup from before",
        )
    return current


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(FOLDER)


def _revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}
