"""Retries failing steps without stopping the others: each failure is logged and counted, the third is final."""

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
    """Counts the failures of each named step; ``failures`` is the sum over all steps."""

    def __init__(self) -> None:
        self.failures = 0
        self._tries: Counter[str] = Counter()

    def attempt(self, name: str, action: Callable[[], None], give_up: Callable[[Exception], None]) -> None:
        """Call ``action``; at the third failure in a row call ``give_up`` with the last exception. Never raises.

        A lost lease is not a failure: another worker does the step.
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
