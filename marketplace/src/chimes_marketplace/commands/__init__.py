"""The command line ``chimes-marketplace``: one file per verb, imported only when the verb is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from chimes_marketplace.commands.signals import end_at_once

__all__ = ["main"]


def main() -> None:
    """The console script. Servers and workers end with status 0 at any signal, also while they are starting."""
    if _verb(sys.argv[1:]) in ("serve", "worker"):
        end_at_once()
    # Importing click takes longer than starting the interpreter; a signal may arrive before it is done.
    from chimes_marketplace.commands.line import call  # noqa: PLC0415

    call()


def _verb(arguments: Iterable[str]) -> str | None:
    """The verb; only ``--data DIR`` may precede it."""
    words = iter(arguments)
    for word in words:
        if word == "--data":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None
