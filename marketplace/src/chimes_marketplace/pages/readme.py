"""Renders the description of a release as HTML that is safe inside our pages, or as plain text if that fails.

``nh3`` sanitises the HTML as the last step. Before that, headings move two levels down, below those of the page, and
each picture becomes a link to it, so that no page loads anything from another site.
"""

from __future__ import annotations

import functools
import html
import re
from typing import Any

import nh3
from chimes.checks.formats.description import RST, parse_content_type, render_description
from markupsafe import Markup
from pygments.token import STANDARD_TYPES

__all__ = ["clean", "render_readme"]

LONGEST = 512 << 10
TIMEOUT_S = 20
DEEPEST = 100
ID_PREFIX = "readme-"
REL = "nofollow ugc noreferrer"
TAGS = set(
    """a abbr b blockquote br caption cite code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i
    input kbd li ol p pre s section span strong sub summary sup table tbody td th thead tr ul var""".split()  # noqa: SIM905
)
ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    "input": {"checked", "disabled"},
}
CLASSES = {"span": {name for name in STANDARD_TYPES.values() if name}}
"""Only the classes of highlighted code."""
SCHEMES = {"http", "https", "mailto"}
CHECKBOX = {"input": {"type": "checkbox"}}
"""Only one value: nh3 writes several in a varying order, which would change the digest of the page."""
VOID = {"br", "hr", "img", "input"}

# Matches a tag as nh3 writes it: names in lower case, values in double quotes.
TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"]*")*)>')
ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
EMPTY_LINK = re.compile(r'<a(?: [a-z-]+="[^"]*")*></a>')


def render_readme(about: dict[str, Any]) -> Markup | str:
    """The description from core metadata: Markup if it can be rendered, else its text; empty if it is absent."""
    text = str(about.get("description") or "")
    content_type = parse_content_type(str(about.get("description_content_type") or RST))
    return text if len(text) > LONGEST else _rendered(text, content_type)


@functools.lru_cache(maxsize=256)
def _rendered(text: str, content_type: str) -> Markup | str:
    if not text.strip():
        return ""
    rendering = render_description(text, content_type, timeout_s=TIMEOUT_S)
    # Asked before it is parsed once more: the time to parse what is nested grows with the square of its depth.
    is_deep = rendering.html is not None and _depth(rendering.html) > DEEPEST
    cleaned = clean(rendering.html) if rendering.html and not is_deep else None
    return text if cleaned is None else Markup(cleaned)


def clean(text: str) -> str | None:
    """HTML without scripts, loaded content, or parts that imitate our page; None if it is nested too deeply."""
    normal = nh3.clean(
        text,
        tags=TAGS | {"img"},
        attributes=ATTRIBUTES | {"img": {"alt", "src"}},
        allowed_classes=CLASSES,
        link_rel=None,
    )
    if _depth(normal) > DEEPEST:
        return None
    return nh3.clean(
        EMPTY_LINK.sub("", _adapt(normal)),
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        set_tag_attribute_values=CHECKBOX,
        attribute_filter=_filter_attribute,
        url_schemes=SCHEMES,
        url_relative=_rewrite_relative,
        id_prefix=ID_PREFIX,
        link_rel=REL,
    )


def _depth(text: str) -> int:
    deepest = depth = 0
    for slash, name, _ in TAG.findall(text):
        if name not in VOID:
            depth += -1 if slash else 1
            deepest = max(deepest, depth)
    return deepest


def _adapt(text: str) -> str:
    """Move headings two levels down, replace pictures by links (inside a link by text), and disable every input."""
    in_link = False

    def adapt(found: re.Match[str]) -> str:
        nonlocal in_link
        slash, name, attributes = found.groups()
        if name == "a":
            in_link = not slash
        elif name == "img":
            return _picture(dict(ATTRIBUTE.findall(attributes)), in_link=in_link)
        elif name == "input":
            return f"<input{' checked' * ('checked' in attributes)} disabled>"
        elif re.fullmatch("h[1-6]", name):
            return f"<{slash}h{min(6, int(name[1]) + 2)}{attributes}>"
        return found[0]

    return TAG.sub(adapt, text)


def _picture(values: dict[str, str], *, in_link: bool) -> str:
    address = html.unescape(values.get("src", ""))
    text = html.escape(html.unescape(values.get("alt") or values.get("src") or "picture"))
    is_link = not in_link and address.startswith(("http://", "https://"))
    return f'<a href="{html.escape(address)}">{text}</a>' if is_link else text


def _filter_attribute(tag: str, attribute: str, value: str) -> str | None:
    # nh3 keeps an empty class attribute after it has removed all its names.
    return None if attribute == "class" and not value else value


def _rewrite_relative(address: str) -> str | None:
    return f"#{ID_PREFIX}{address[1:]}" if address.startswith("#") else None
