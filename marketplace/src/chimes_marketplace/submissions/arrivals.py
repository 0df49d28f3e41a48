"""Which uploads are being received, in the database: a submission does not close while a file of its release arrives.

Every server and worker sees them. A row expires unless its server moves the expiry on, so an upload of a server that
was killed delays a submission no longer than that.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from packaging.utils import canonicalize_version
from sqlalchemy import Executable
from sqlmodel import Session, col, delete, select, update

from chimes_marketplace.database import Database, now
from chimes_marketplace.submissions.tables import Arrival

__all__ = ["LONGEST_S", "Arrivals", "is_arriving"]

LONGEST_S = 3600.0
"""An upload that takes longer no longer keeps its submission open."""
LOG = logging.getLogger("chimes_marketplace")


def is_arriving(session: Session, *, project: str, version: str, at: datetime) -> bool:
    """Whether a file of that release, in any spelling of the version, is being received."""
    query = select(Arrival.id).where(
        Arrival.project == project, Arrival.version == canonicalize_version(version), col(Arrival.expires_at) > at
    )
    return session.exec(query.limit(1)).first() is not None


class Arrivals:
    """The uploads that this process receives. A thread renews their rows while there are any."""

    def __init__(self, database: Database, *, expiry_s: float, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._expiry_s = expiry_s
        self._clock = clock
        self._lock = threading.Lock()
        self._mine: dict[str, datetime] = {}
        """The rows of this process, and when each upload began."""
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def arriving(self, project: str, version: str) -> Iterator[None]:
        """While a file of that release is received and checked. ``project`` is normalised."""
        id = secrets.token_hex(16)
        expires = self._expiry()
        with self._database.writing() as session:
            session.execute(delete(Arrival).where(col(Arrival.expires_at) <= self._clock()))
            row = Arrival(id=id, project=project, version=canonicalize_version(version), expires_at=expires)
            session.add(row)
        with self._lock:
            self._mine[id] = self._clock()
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_while_any, name="arrivals", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._mine[id]
            self._try_to(delete(Arrival).where(col(Arrival.id) == id))

    def is_arriving(self, project: str, version: str) -> bool:
        """Whether a file of that release is being received, here or in another process."""
        with self._database.reading() as session:
            return is_arriving(session, project=project, version=version, at=self._clock())

    def renew(self) -> None:
        """Move the expiry of the rows of this process on."""
        since = self._clock() - timedelta(seconds=LONGEST_S)
        with self._lock:
            mine = [id for id, begun in self._mine.items() if begun > since]
        self._try_to(update(Arrival).where(col(Arrival.id).in_(mine)).values(expires_at=self._expiry()))

    def _renew_while_any(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._expiry_s / 3)
            with self._lock:
                if not self._mine:
                    self._thread = None
                    return
            self.renew()

    def _try_to(self, statement: Executable) -> None:
        # Where this fails, rows keep their expiry: an upload does not fail for it.
        try:
            with self._database.writing() as session:
                session.execute(statement)
        except Exception:
            LOG.exception("the rows of arriving uploads cannot be changed")

    def _expiry(self) -> datetime:
        return self._clock() + timedelta(seconds=self._expiry_s)
