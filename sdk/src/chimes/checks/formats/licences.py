"""Checks licence expressions against SPDX: whether they are valid, and which identifiers are deprecated."""

from __future__ import annotations

from functools import cache

from license_expression import ExpressionError, get_license_index, get_spdx_licensing
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

__all__ = ["deprecated_identifiers", "is_valid_expression"]

MAX_CHARACTERS = 2_000
# Deprecated since SPDX 2.0 and missing in the index of aliases. Exceptions are now written with WITH.
WITH_EXCEPTION = {
    "GPL-2.0-with-GCC-exception": "GPL-2.0-or-later WITH GCC-exception-2.0",
    "GPL-2.0-with-autoconf-exception": "GPL-2.0-or-later WITH Autoconf-exception-2.0",
    "GPL-2.0-with-bison-exception": "GPL-2.0-or-later WITH Bison-exception-2.2",
    "GPL-2.0-with-classpath-exception": "GPL-2.0-only WITH Classpath-exception-2.0",
    "GPL-2.0-with-font-exception": "GPL-2.0-only WITH Font-exception-2.0",
    "GPL-3.0-with-GCC-exception": "GPL-3.0-only WITH GCC-exception-3.1",
    "GPL-3.0-with-autoconf-exception": "GPL-3.0-only WITH Autoconf-exception-3.0",
    "eCos-2.0": "GPL-2.0-or-later WITH eCos-exception-2.0",
    "wxWindows": "GPL-2.0-or-later WITH WxWindows-exception-3.1",
}


def is_valid_expression(text: str) -> bool:
    """Whether ``text`` is an SPDX expression of known identifiers (or of ``LicenseRef-``s)."""
    if len(text) > MAX_CHARACTERS:
        return False
    try:
        canonicalize_license_expression(text)
        get_spdx_licensing().parse(text)
    except (InvalidLicenseExpression, ExpressionError, RecursionError, MemoryError):
        return False
    return True


def deprecated_identifiers(text: str) -> dict[str, str]:
    """The deprecated identifiers in ``text``, each with its replacement."""
    names = text.replace("(", " ").replace(")", " ").split()
    return {name: _replacements()[name.lower()] for name in names if name.lower() in _replacements()}


@cache
def _replacements() -> dict[str, str]:
    found = {name.lower(): instead for name, instead in WITH_EXCEPTION.items()}
    for entry in get_license_index():
        for alias in entry.get("other_spdx_license_keys") or ():
            if not alias.startswith("LicenseRef-") and entry.get("spdx_license_key"):
                found[alias.lower()] = entry["spdx_license_key"]
    return found
