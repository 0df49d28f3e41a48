"""Reserves standard output for a command's JSON: what plugins print in this process goes to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

__all__ = ["redirected_stdout"]


@contextmanager
def redirected_stdout() -> Iterator[None]:
    """Send everything that is written to standard output in this block to standard error.

    Standard output works again afterwards, also where a plugin has closed or replaced ``sys.stdout``.
    """
    before: TextIO | None = sys.stdout
    if before is None:
        # The command was started without a standard output.
        yield
        return
    encoding, errors = before.encoding, before.errors
    before.flush()
    answer = os.dup(1)
    _to_stderr(1)
    sys.stdout = aside = _text_on_1(encoding, errors)
    try:
        yield
    finally:
        for stream in (aside, before):
            with suppress(OSError, ValueError):
                stream.flush()
        os.dup2(answer, 1)
        os.close(answer)
        sys.stdout = _text_on_1(encoding, errors) if before.closed else before


def _text_on_1(encoding: str, errors: str | None) -> TextIO:
    return os.fdopen(1, "w", closefd=False, encoding=encoding, errors=errors, buffering=1)


def _to_stderr(descriptor: int) -> None:
    try:
        os.dup2(2, descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
