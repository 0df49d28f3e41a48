"""Names of projects: normalised, and what they look like."""

from __future__ import annotations

from packaging.utils import canonicalize_name

__all__ = ["lookalike", "normalised"]

# What a person takes for the same, as PyPI does: separators fall away, l and i look like 1, o like 0.
SEEN = str.maketrans({"-": None, "_": None, ".": None, "l": "1", "i": "1", "o": "0"})


def normalised(name: str) -> str:
    """The one spelling of a project's name (PEP 503)."""
    return str(canonicalize_name(name))


def lookalike(name: str) -> str:
    """Equal for names that a person confuses."""
    return name.lower().translate(SEEN)
