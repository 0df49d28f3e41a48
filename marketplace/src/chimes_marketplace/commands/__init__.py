"""The command line ``chimes-marketplace``: one file per verb, imported only when the verb is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from chimes_marketplace.commands.signals import end_at_once

__all__ = ["main"]


def main() -> None:
    """The console script. A server ends with status 0 whenever it is told to, so it listens before all else."""
    if _is_serve(sys.argv[1:]):
        end_at_once()
    # Click alone takes longer than the interpreter: whoever starts a server may have changed his mind meanwhile.
    from chimes_marketplace.commands.line import call  # noqa: PLC0415

    call()


def _is_serve(arguments: Iterable[str]) -> bool:
    """Whether that is the verb; before it only ``--data DIR`` may stand."""
    words = iter(arguments)
    for word in words:
        if word == "--data":
            next(words, None)
        elif not word.startswith("-"):
            return word == "serve"
    return False
