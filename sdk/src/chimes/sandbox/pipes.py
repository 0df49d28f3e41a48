"""The pipes of one sandbox: three for the command, and those for the reports of bubblewrap and strace."""

from __future__ import annotations

import contextlib
import os

__all__ = ["Pipes"]

NAMES = ("stdin", "stdout", "stderr", "status", "trace", "filter")


class Pipes:
    """Both ends of each pipe, by name; every end is closed once."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], int] = {}
        try:
            for name in NAMES:
                self._ends[name, "read"], self._ends[name, "write"] = os.pipe()
        except OSError:
            self.close()
            raise

    def reader(self, name: str) -> int:
        """The end to read from."""
        return self._ends[name, "read"]

    def writer(self, name: str) -> int:
        """The end to write to."""
        return self._ends[name, "write"]

    def take(self, name: str, end: str) -> int:
        """An end that the caller must close from now on."""
        return self._ends.pop((name, end))

    def close(self, *ends: tuple[str, str]) -> None:
        """Close these ends; without arguments all open ends."""
        for key in ends or tuple(self._ends):
            with contextlib.suppress(KeyError):
                os.close(self._ends.pop(key))
