"""Keeps one failing step from stopping the others: it is logged, counted, tried again, and at last given up."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

from chimes_marketplace.lanes.leases import LeaseLostError

__all__ = ["TRIES", "Retries"]

TRIES = 3
LOG = logging.getLogger("chimes.marketplace.validation")


class Retries:
    """Counts failures of each named step; ``failures`` are those of all steps."""

    def __init__(self) -> None:
        self.failures = 0
        self._tries: Counter[str] = Counter()

    def attempt(self, name: str, action: Callable[[], None], give_up: Callable[[Exception], None]) -> None:
        """Do it; at the third failure in a row call ``give_up`` with the last exception. Never raises.

        A lost lease is no failure: another worker does the step.
        """
        try:
            action()
            del self._tries[name]
        except LeaseLostError as error:
            LOG.info("%s is left to another worker: %s", name, error)
            del self._tries[name]
        except Exception as error:
            LOG.exception("%s failed", name)
            self.failures += 1
            self._tries[name] += 1
            if self._tries[name] >= TRIES:
                self.attempt(f"{name}, giving up", partial(give_up, error), lambda _: None)
                del self._tries[name]
