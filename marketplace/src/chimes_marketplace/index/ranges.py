"""Parses the Range header: the requested part of a file (RFC 9110, section 14)."""

from __future__ import annotations

import re

from chimes_marketplace.errors import MarketplaceError

__all__ = ["parse_range"]

ONE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*")
LONGEST = 19


def parse_range(header: str, size: int) -> range | None:
    """The requested bytes; None for all of them, also for a malformed header and for one with several ranges.

    Raises MarketplaceError ``range-outside`` for bytes that the file does not have.
    """
    found = ONE.fullmatch(header.strip())
    if found is None or not any(found.groups()) or max(map(len, found.groups())) > LONGEST:
        return None
    first, last = found.groups()
    if not first:
        part = range(max(size - int(last), 0), size)
    elif last and int(last) < int(first):
        return None
    else:
        part = range(int(first), min(int(last) + 1, size) if last else size)
    if not part:
        message = f"the file has no part {header.strip()[:80]!r}: it has {size} bytes"
        raise MarketplaceError("range-outside", message, fix="request bytes that exist, or the whole file")
    return part
