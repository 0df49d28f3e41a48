"""Content negotiation: chooses the representation that the client prefers (RFC 9110, section 12.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["MediaRange", "choose_encoding", "choose_media_type", "parse_accept", "quality_of"]

# A quoted string may contain commas and semicolons.
ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
QUALITY = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")
UTF8 = ("charset", "utf-8")
"""The only parameter of our text types."""


@dataclass(frozen=True)
class MediaRange:
    """One element of an Accept header, in lower case. ``type`` and ``subtype`` may be ``*``."""

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    @property
    def specificity(self) -> int:
        """If several ranges match, the one with the highest number applies."""
        return (self.type != "*") + (self.subtype != "*") + len(self.parameters)

    def matches(self, media_type: str) -> bool:
        """Whether the range includes that type. The type has no parameter except ``charset=utf-8``."""
        type, _, subtype = media_type.partition("/")
        return (
            self.type in ("*", type)
            and self.subtype in ("*", subtype)
            and all(parameter == UTF8 for parameter in self.parameters)
        )


def parse_accept(headers: Sequence[str]) -> tuple[MediaRange, ...]:
    """The media ranges of all Accept headers of a request, in their order, without malformed elements."""
    elements = ELEMENT.findall(",".join(headers).lower())
    return tuple(found for element in elements if (found := _media_range(element)) is not None)


def quality_of(accepted: Sequence[MediaRange], *names: str) -> float | None:
    """The quality of the representation with these names; None if no range matches any of them."""
    preference = _preference(accepted, names)
    return None if preference is None else preference[0]


def choose_media_type(headers: Sequence[str], offered: Mapping[str, Sequence[str]]) -> str | None:
    """The representation to send; None if the client refuses all of them with ``q=0``.

    ``offered``: each representation, and the names that a client may use for it; the server prefers the first. Without
    a usable Accept header the first is chosen. If the client accepts none of them, the first one that it does not
    refuse is chosen: PEP 691 allows this.
    """
    accepted = parse_accept(headers)
    if not accepted:
        return next(iter(offered))
    preferences = {each: _preference(accepted, names) for each, names in offered.items()}
    wanted = {each: preference for each, preference in preferences.items() if preference and preference[0] > 0}
    if wanted:
        return max(wanted, key=lambda each: wanted[each])
    return next((each for each, preference in preferences.items() if preference is None), None)


def choose_encoding(headers: Sequence[str], offered: Sequence[str]) -> str | None:
    """The content coding of ``offered`` that the client prefers, the first among equals; None to send no coding."""
    accepted: dict[str, float] = {}
    for element in ELEMENT.findall(",".join(headers).lower()):
        name, *parameters = _split(element)
        quality = _quality(_pairs(parameters))
        if TOKEN.fullmatch(name) and quality is not None:
            accepted[name] = quality
    best = max(offered, key=lambda name: accepted.get(name, accepted.get("*", 0.0)))
    return best if accepted.get(best, accepted.get("*", 0.0)) > 0 else None


def _preference(accepted: Sequence[MediaRange], names: Sequence[str]) -> tuple[float, int, int] | None:
    """Quality, specificity and place of the most specific range that matches; the client prefers higher values."""
    matching = [
        (each.specificity, each.quality, -place)
        for place, each in enumerate(accepted)
        if any(each.matches(name) for name in names)
    ]
    if not matching:
        return None
    specificity, quality, place = max(matching)
    # Among types of equal quality: named types before those that a wildcard includes, then the client's order.
    return quality, specificity, place


def _media_range(element: str) -> MediaRange | None:
    name, *texts = _split(element)
    type, slash, subtype = name.partition("/")
    is_name = TOKEN.fullmatch(type) and TOKEN.fullmatch(subtype) and slash and (type != "*" or subtype == "*")
    parameters = _pairs(texts)
    quality = _quality(parameters)
    if not is_name or quality is None:
        return None
    others = tuple(pair for pair in parameters or () if pair[0] != "q")
    return MediaRange(type, subtype, others, quality)


def _split(element: str) -> list[str]:
    return [text.strip() for text in PARAMETER.findall(element)] or [""]


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]] | None:
    """Names and values; None if one is malformed. Spaces around ``=`` and empty parameters are allowed."""
    pairs = []
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if text and not (equals and TOKEN.fullmatch(name)):
            return None
        if text:
            pairs.append((name, value.strip('"')))
    return pairs


def _quality(parameters: Sequence[tuple[str, str]] | None) -> float | None:
    """The weight, 1 if it is absent; None if it is not a number from 0 to 1."""
    if parameters is None:
        return None
    given = next((value for name, value in parameters if name == "q"), "1")
    return float(given) if QUALITY.fullmatch(given) else None
