"""Names of projects: their normalised form, and a form that is equal for similar names."""

from __future__ import annotations

from packaging.utils import canonicalize_name

__all__ = ["lookalike", "normalised"]

# As PyPI does: separators are removed, l and i look like 1, o looks like 0.
SEEN = str.maketrans({"-": None, "_": None, ".": None, "l": "1", "i": "1", "o": "0"})


def normalised(name: str) -> str:
    """The one spelling of a project's name (PEP 503)."""
    return str(canonicalize_name(name))


def lookalike(name: str) -> str:
    """A form that is equal for names that a person confuses."""
    return name.lower().translate(SEEN)
