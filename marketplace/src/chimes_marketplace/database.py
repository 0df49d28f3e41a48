"""The database: an engine, one session for each request or job, and the only commit."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, create_engine

from chimes_marketplace.errors import MarketplaceError

__all__ = ["Database", "Moment", "Session", "now"]

BUSY_MS = 30_000


class Moment(TypeDecorator[datetime]):
    """A point in time: aware and in UTC in Python, without a zone in the database, to the microsecond."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Drop the zone after turning to UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        """Put UTC back."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Database:
    """Sessions of one database. Safe to use from many threads; a session belongs to one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000} if _is_sqlite(url) else {})
        if _is_sqlite(url):
            _prepare_sqlite(self.engine)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing. What it read stays readable afterwards."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or not at all after an exception.

        On SQLite writers wait for each other from the start, so what was read before a change still holds.
        Raises MarketplaceError ``disk-full`` where the database has no room to grow.
        """
        engine = self.engine.execution_options(writing=True)
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
                session.commit()
        except DBAPIError as error:
            if not _is_full(error.orig):
                raise
            message = "the marketplace's disk is full: its database cannot grow"
            raise MarketplaceError("disk-full", message, fix="try again later; the operator must make room") from error

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _is_full(error: BaseException | None) -> bool:
    """Whether the driver says that there is no room: SQLite by its code, PostgreSQL by the SQL standard's."""
    return (
        getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", None) == "53100"
    )


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # The driver would begin transactions by itself, and too late.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        is_writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
