"""Renders templates: one Jinja environment for each language."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chimes_marketplace.pages import labels
from chimes_marketplace.pages.assets import asset_path
from chimes_marketplace.pages.findings import printable
from chimes_marketplace.pages.languages import translations

__all__ = ["render"]

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
KB = 1000


def render(template: str, language: str, values: Mapping[str, Any]) -> str:
    """The page as HTML. All values are escaped except the README, which is sanitised."""
    return _environment(language).get_template(template).render(values)


@functools.cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "size": size,
        "moment": moment,
        "iso": iso,
        "seconds": seconds,
        "remember": remember,
        "printable": printable,
    }
    environment.globals |= {"asset": asset_path, "labels": labels, "language": language}
    return environment


def size(count: int) -> str:
    """A size in bytes, for people."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < KB:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= KB
    return f"{amount:.1f} GB"


def moment(at: datetime) -> str:
    """A point in time, to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def iso(at: datetime) -> str:
    """A point in time as ISO 8601."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def seconds(amount: float) -> str:
    """A duration that is not broken over two lines."""
    text = f"{amount:.1f} s" if amount < 60 else f"{int(amount // 60)} min {amount % 60:.0f} s"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def remember(query: Mapping[str, str], key: str, value: str) -> str:
    """The query string with one value changed and without empty values."""
    return urlencode({name: text for name, text in ({**query, key: value}).items() if text})
