"""Records in the database which uploads are being received: until they end, their submissions stay open.

Every server and worker sees these rows. A row expires unless its server renews it, so after a server was killed, its
uploads delay a submission only until they expire.
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
"""After this time an upload no longer keeps its submission open."""
LOG = logging.getLogger("chimes_marketplace")


def is_arriving(session: Session, *, project: str, version: str, at: datetime) -> bool:
    """Whether a file of that release, in any spelling of the version, is being received."""
    query = select(Arrival.id).where(
        Arrival.project == project, Arrival.version == canonicalize_version(version), col(Arrival.expires_at) > at
    )
    return session.exec(query.limit(1)).first() is not None


class Arrivals:
    """The uploads that this process is receiving. While there are any, a thread renews their rows."""

    def __init__(self, database: Database, *, expiry_s: float, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._expiry_s = expiry_s
        self._clock = clock
        self._lock = threading.Lock()
        self._mine: dict[str, datetime] = {}
        """The row ids of this process, and when each upload began."""
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def arriving(self, project: str, version: str) -> Iterator[None]:
        """Enter this context while a file of that release is received and checked. ``project`` is normalised."""
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
        """Extend the expiry of the rows of this process."""
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
        # If this fails, the rows keep their expiry, and the upload continues.
        try:
            with self._database.writing() as session:
                session.execute(statement)
        except Exception:
            LOG.exception("the rows of arriving uploads cannot be changed")

    def _expiry(self) -> datetime:
        return self._clock() + timedelta(seconds=self._expiry_s)
