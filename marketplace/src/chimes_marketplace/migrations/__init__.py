"""Migrates a database to the tables of this version, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from chimes_marketplace.database import Database, serialise
from chimes_marketplace.errors import MarketplaceError

__all__ = ["check", "head", "migrate"]

FOLDER = Path(__file__).parent
LOCK = 20_615_843
"""The lock number that serialises processes that start at the same time (``database.serialise``)."""


def migrate(database: Database) -> None:
    """Create the tables, or migrate them to this version; does nothing if they are up to date.

    Several processes may call it at the same time. Raises MarketplaceError ``conflict`` if a newer version has
    migrated the database.
    """
    with database.reading() as session:
        if _revision(session.connection()) == head():
            return
    with _alone(database) as connection:
        if _revision(connection) != head():
            _upgrade(connection)


def check(database: Database) -> None:
    """Check that the tables are those of this version; changes nothing.

    Raises MarketplaceError ``not-found`` if they do not exist, ``conflict`` for those of another version.
    """
    with database.reading() as session:
        current = _revision(session.connection())
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
    """The revision of the newest migration, which this version needs."""
    return _revisions()[-1]


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    with database.changing() as connection:
        serialise(connection, LOCK)
        yield connection


def _revision(connection: Connection) -> str | None:
    """The revision of the database, None if it has no tables. Raises ``conflict`` for one of a newer version."""
    # Alembic could read it too, but importing it takes longer than a whole command.
    if not inspect(connection).has_table("alembic_version"):
        return None
    current: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if current is not None and current not in _revisions():
        raise MarketplaceError(
            "conflict",
            f"the database is at revision {current}, which this version does not know",
            fix="install the chimes-marketplace that migrated it, or restore the backup from before",
        )
    return current


def _upgrade(connection: Connection) -> None:
    # Slow to import, and needed only to create or change a database.
    from alembic import command, config  # noqa: PLC0415

    settings = config.Config()
    settings.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def _revisions() -> list[str]:
    """The revisions of the migrations, oldest first: their files are named ``<revision>_<what>.py``."""
    return sorted(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))
