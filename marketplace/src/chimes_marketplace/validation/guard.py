"""Keeps one thing that goes wrong from stopping the others: logged, counted, tried again, given up."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

__all__ = ["TRIES", "Guard"]

TRIES = 3
LOG = logging.getLogger("chimes.marketplace.validation")


class Guard:
    """Counts failures of each named thing; ``failures`` are those of all."""

    def __init__(self) -> None:
        self.failures = 0
        self._tries: Counter[str] = Counter()

    def attempt(self, name: str, action: Callable[[], None], give_up: Callable[[Exception], None]) -> None:
        """Do it; at the third failure in a row give up, by ``give_up`` with the last exception. Never raises."""
        try:
            action()
            del self._tries[name]
        except Exception as error:
            LOG.exception("%s failed", name)
            self.failures += 1
            self._tries[name] += 1
            if self._tries[name] >= TRIES:
                self.attempt(f"{name}, giving up", partial(give_up, error), lambda _: None)
                del self._tries[name]
