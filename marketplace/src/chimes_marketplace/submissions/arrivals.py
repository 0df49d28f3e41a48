"""Which uploads are on their way: a submission does not close while a file of its release arrives."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from packaging.utils import canonicalize_version

__all__ = ["Arrivals"]


class Arrivals:
    """Counts uploads by normalised project and version in any spelling, from all threads of this server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: Counter[tuple[str, str]] = Counter()

    @contextlib.contextmanager
    def arriving(self, project: str, version: str) -> Iterator[None]:
        """While a file of that release is being received and checked."""
        key = (project, canonicalize_version(version))
        with self._lock:
            self._count[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._count[key] -= 1
                if not self._count[key]:
                    del self._count[key]

    def is_arriving(self, project: str, version: str) -> bool:
        """Whether one is on its way."""
        with self._lock:
            return (project, canonicalize_version(version)) in self._count
