"""Gives each sandbox that root starts its own user, because the kernel counts processes per user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chimes.errors import InfrastructureError
from chimes.files import FileLock, try_lock

__all__ = ["FIRST_UID", "Lease", "take_user"]

FIRST_UID, USERS = 61_001, 1000
FOLDER = Path("/run/chimes/users")


@dataclass(frozen=True)
class Lease:
    """A user that no other sandbox has until it is released, or until this process ends."""

    uid: int
    lock: FileLock

    def release(self) -> None:
        """Release the user; no process may run as this user any more."""
        self.lock.release()


def take_user(folder: Path = FOLDER, users: int = USERS) -> Lease:
    """The first free user. Raises InfrastructureError if all are taken, or if their locks cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uid in range(FIRST_UID, FIRST_UID + users):
            if (lock := try_lock(folder / str(uid))) is not None:
                return Lease(uid, lock)
    except OSError as error:
        raise InfrastructureError(
            f"cannot lock a user for a sandbox in {str(folder)!r}: {error.strerror}",
            hint="let root write there, or start as another user",
        ) from error
    raise InfrastructureError(f"all {users} users of sandboxes are taken", hint="wait until other sandboxes have ended")
