"""The database: an engine, one session for each request or job, and the only commit."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import JSON, Connection, DateTime, Engine, QueuePool, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, create_engine

from chimes_marketplace.errors import MarketplaceError

__all__ = ["Database", "Moment", "Session", "Typed", "now", "serialise"]

BUSY_S = 30.0
"""How long to wait for a locked database, or for a free connection."""
FULL = "53100"
BUSY = frozenset({"40001", "40P01", "53300", "55P03"})
"""PostgreSQL's codes for: not serialisable, deadlock, too many connections, locked."""
T = TypeVar("T")


class Moment(TypeDecorator[datetime]):
    """A point in time to the microsecond: aware and in UTC in Python, in UTC without a zone in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Convert to UTC and drop the zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        """Put UTC back."""
        return None if value is None else value.replace(tzinfo=UTC)


class Typed(TypeDecorator[T], Generic[T]):
    """A frozen value of a pydantic type in Python, its JSON form in the database; None is NULL."""

    impl = JSON
    cache_ok = True

    def __init__(self, python: Any) -> None:
        super().__init__(none_as_null=True)
        self.python = python

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        # Made when a value is first read or written: most commands of operators use none of these columns.
        return TypeAdapter(self.python)

    def process_bind_param(self, value: T | None, dialect: Any) -> Any:
        """The JSON form. Raises ValidationError for a value of another type."""
        return None if value is None else self._adapter.dump_python(self._adapter.validate_python(value), mode="json")

    def process_result_value(self, value: Any, dialect: Any) -> T | None:
        """The value from its JSON form. Raises ValidationError for other JSON."""
        return None if value is None else self._adapter.validate_python(value)


def serialise(connection: Connection, number: int) -> None:
    """Wait until no other transaction holds that ``number``, and hold it until this transaction ends.

    On PostgreSQL this is an advisory lock. On SQLite, writing transactions exclude each other anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": number})


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


class Database:
    """Opens sessions of one database. It may be used by many threads; each session by one thread only."""

    def __init__(self, url: str, *, busy_s: float = BUSY_S) -> None:
        self.url = url
        waits = {"timeout": busy_s} if _is_sqlite(url) else {}
        self.engine = create_engine(url, poolclass=QueuePool, pool_timeout=busy_s, connect_args=waits)
        if _is_sqlite(url):
            _prepare_sqlite(self.engine)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing. Its rows stay readable after it ends.

        Raises MarketplaceError ``busy`` if other transactions lock the database.
        """
        with _refusing(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or not at all after an exception.

        On SQLite writers wait for each other from the start, so no other session changes the rows that it reads.
        Raises MarketplaceError ``disk-full`` if the database cannot grow, ``busy`` if it stays locked.
        """
        engine = self.engine.execution_options(writing=True)
        with _refusing(), Session(engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """As ``writing``, but a plain connection, for changes of the tables."""
        with _refusing(), self.engine.execution_options(writing=True).begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        refusal = _refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal_of(error: SQLAlchemyError) -> MarketplaceError | None:
    """The error for a temporary failure of the database; None for other failures."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    # The lowest eight bits are SQLite's primary code; the others detail it.
    sqlite, sqlstate = getattr(cause, "sqlite_errorcode", 0) & 0xFF, getattr(cause, "sqlstate", None)
    if sqlite == sqlite3.SQLITE_FULL or sqlstate == FULL:
        message = "the marketplace's disk is full: its database cannot grow"
        return MarketplaceError("disk-full", message, fix="try again later; the operator must make room")
    if sqlite == sqlite3.SQLITE_BUSY or sqlstate in BUSY or isinstance(error, NoConnectionError):
        message = "the marketplace's database was locked for too long"
        return MarketplaceError("busy", message, fix="try again in a few seconds; if it stays, tell the operator")
    return None


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        # Otherwise the driver begins transactions by itself, and later than needed.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        is_writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
