"""Tames sanitised HTML for a place inside our pages: no pictures from elsewhere, no styles, no foreign ids."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

__all__ = ["tame"]

PREFIX = "readme-"
DEEPEST = 100
KEPT = {
    "a": {"href", "title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    "input": {"type", "checked", "disabled"},
    "span": {"class"},
}
TAGS = frozenset(
    """a abbr b blockquote br caption cite code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i
    input kbd li ol p pre s section span strong sub summary sup table tbody td th thead tr ul var""".split()  # noqa: SIM905
)
VOID = frozenset({"br", "hr", "input"})
TOKEN = re.compile(r"[a-z][a-z0-9]{0,2}")
"""A class that Pygments gives to a piece of code."""
HEADING = re.compile(r"h([1-6])")
SAFE = ("http://", "https://", "mailto:", "#")


def tame(html: str) -> str:
    """The same text and structure: headings two levels down, links without rank, pictures as links to them."""
    tamer = _Tamer()
    tamer.feed(html)
    tamer.close()
    return tamer.finish()


class _Tamer(HTMLParser):
    """Writes anew what it reads; everything that it writes is escaped or named above."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._open: list[str] = []
        self._anchor: int | None = None
        """Where the tag of a link stands that has nothing in it yet."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "img":
            self._picture(values)
        elif tag in TAGS and len(self._open) < DEEPEST and not (tag == "a" and "a" in self._open):
            name = _lower(tag)
            self._anchor = len(self._out) if tag == "a" else None
            self._out.append(f"<{name}{_attributes(tag, values)}>")
            if tag not in VOID:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._open:
            return
        if tag == "a" and self._anchor is not None:
            # The empty link to itself that renderers put into headings.
            del self._out[self._anchor :]
            self._anchor = None
            self._open.remove("a")
            return
        while True:
            last = self._open.pop()
            self._out.append(f"</{_lower(last)}>")
            if last == tag:
                return

    def handle_data(self, data: str) -> None:
        if data:
            self._anchor = None
            self._out.append(escape(data))

    def finish(self) -> str:
        """All of it, with every tag closed."""
        self._out += [f"</{_lower(tag)}>" for tag in reversed(self._open)]
        return "".join(self._out)

    def _picture(self, values: dict[str, str]) -> None:
        text = values.get("alt") or values.get("src") or "picture"
        address = values.get("src", "")
        if "a" in self._open or not address.startswith(SAFE[:2]):
            self.handle_data(text)
            return
        self._out.append(f'<a href="{escape(address)}" rel="nofollow ugc noreferrer">{escape(text)}</a>')


def _lower(tag: str) -> str:
    found = HEADING.fullmatch(tag)
    return f"h{min(6, int(found[1]) + 2)}" if found else tag


def _attributes(tag: str, values: dict[str, str]) -> str:
    kept = {name: value for name, value in values.items() if name in KEPT.get(tag, ())}
    if "id" in values:
        kept["id"] = PREFIX + values["id"]
    if not all(TOKEN.fullmatch(word) for word in kept.get("class", "").split()):
        del kept["class"]
    if tag == "input":
        kept = {"type": "checkbox", "disabled": ""} | ({"checked": ""} if "checked" in values else {})
    if tag == "a":
        kept = _link(kept)
    return "".join(f' {name}="{escape(value)}"' for name, value in kept.items())


def _link(kept: dict[str, str]) -> dict[str, str]:
    address = kept.pop("href", "")
    if not address.lower().startswith(SAFE):
        return kept
    if address.startswith("#"):
        return kept | {"href": f"#{PREFIX}{address[1:]}"}
    return kept | {"href": address, "rel": "nofollow ugc noreferrer"}
