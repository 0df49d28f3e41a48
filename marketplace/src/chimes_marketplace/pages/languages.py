"""The languages of the pages, and how one is chosen."""

from __future__ import annotations

import functools
import io
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

__all__ = ["LANGUAGES", "choose", "translations"]

LANGUAGES = ("en", "zh")
"""The first one is the language of the templates."""

LOCALES = Path(__file__).resolve().parents[1] / "locales"


@functools.cache
def translations(language: str) -> NullTranslations:
    """The texts of a language, read once from its catalogue."""
    if language == LANGUAGES[0]:
        return NullTranslations()
    with (LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as stream:
        catalog = read_po(stream, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)


def choose(asked: str | None, cookie: str | None, accepted: str) -> str:
    """The language in the query, else in the cookie, else the first that the browser accepts."""
    for wanted in (asked, cookie, *_ranked(accepted)):
        if wanted in LANGUAGES:
            return str(wanted)
    return LANGUAGES[0]


def _ranked(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, best first, without their regions."""
    ranked = []
    for place, item in enumerate(accepted[:1000].split(",")):
        tag, _, weight = item.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
        except ValueError:
            continue
        if quality > 0:
            ranked.append((-quality, place, tag.strip().lower().split("-")[0]))
    return [tag for _, _, tag in sorted(ranked)]
