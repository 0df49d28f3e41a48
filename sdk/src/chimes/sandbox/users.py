"""Lends each sandbox that root starts a user of its own: the kernel counts processes per user."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from chimes.errors import InfrastructureError

__all__ = ["FIRST_UID", "Lease", "take_user"]

FIRST_UID, USERS = 61_001, 1000
FOLDER = Path("/run/chimes/users")


class Lease:
    """A user that nobody else has until it is given back, or until this process ends."""

    def __init__(self, uid: int, lock: int) -> None:
        self.uid = uid
        self._lock: int | None = lock

    def release(self) -> None:
        """Give it back; nothing may run as this user any more."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def take_user(folder: Path = FOLDER, users: int = USERS) -> Lease:
    """The first user that is free. Raises InfrastructureError if none is, or if their locks cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uid in range(FIRST_UID, FIRST_UID + users):
            if (lock := _try(folder / str(uid))) is not None:
                return Lease(uid, lock)
    except OSError as error:
        raise InfrastructureError(
            f"cannot lock a user for a sandbox in {str(folder)!r}: {error.strerror}",
            hint="let root write there, or start as another user",
        ) from error
    raise InfrastructureError(f"all {users} users of sandboxes are taken", hint="wait until other sandboxes have ended")


def _try(path: Path) -> int | None:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
