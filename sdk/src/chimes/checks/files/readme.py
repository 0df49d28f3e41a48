"""Checks whether the description, which is the distribution's page, renders, and is the author's own."""

from __future__ import annotations

import re
from typing import Any

from chimes.checks.filecheck import FileCheck
from chimes.checks.formats.description import RST, parse_content_type, render_description
from chimes.checks.formats.fields import parse_headers
from chimes.checks.subject import Subject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["TEMPLATE_MARKER", "ReadmeOwn", "ReadmeRenders"]

TEMPLATE_MARKER = "<!-- chimes:template-readme -->"
"""A comment in the README of every template; authors remove it with the text that it marks."""

RENDERED_BYTES = 512 << 10
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def description_of(subject: Subject) -> str | None:
    """The description, from below the fields or from its own field; None if it is absent."""
    headers = parse_headers(subject.metadata or b"")
    text = headers.body if headers.body.strip() else "\n".join(headers.all("Description")[:1])
    return text if text.strip() not in ("", "UNKNOWN") else None


class ReadmeRenders(FileCheck[Subject]):
    """Does the description render?

    It is the page by which people judge the plugin. Markdown and plain text always render, if there is
    anything in them; reStructuredText with an error does not, and would be shown as raw text.
    """

    code = "A05"
    severity = "warning"
    blocks = None
    source = "PEP 566; readme-renderer"

    def observe(self, subject: Subject) -> Facts:
        """The type, the size, and the result of rendering."""
        text = description_of(subject)
        declared = parse_headers(subject.metadata or b"").all("Description-Content-Type")[:1]
        facts: Facts = {
            "type": parse_content_type(declared[0]) if declared else None,
            "bytes": 0 if text is None else len(text.encode()),
        }
        if text is not None and facts["bytes"] <= RENDERED_BYTES:
            facts |= _render(text, facts["type"] or RST)
        return facts

    def judge(self, facts: Facts) -> list[Finding]:
        """At most one finding."""
        where = "Description"
        if not facts["bytes"]:
            return [self.finding("there is no description", "set readme in pyproject.toml", where=where)]
        if "rendered" not in facts:
            message = f"the description has {facts['bytes']} bytes, more than the {RENDERED_BYTES} that are rendered"
            return [self.finding(message, "keep the README to what a reader needs first", where=where)]
        if facts["rendered"]:
            return []
        kind = facts["type"] or "text/x-rst (no Description-Content-Type is given)"
        place = "" if facts["line"] is None else f" from line {facts['line']} on"
        fix = "correct the markup, or declare the README's real type"
        message = f"the description does not render as {kind}{place}"
        return [self.finding(message, fix, where=where, said=facts["problem"])]


class ReadmeOwn(FileCheck[Subject]):
    """Is the description the author's own text, and not the template's?

    A scaffold's README says nothing about the plugin. It carries a marker comment; write what the plugin
    does and take the comment out.
    """

    code = "A06"
    severity = "warning"
    blocks = None

    def observe(self, subject: Subject) -> Facts:
        """Whether the marker is there."""
        return {"marker": TEMPLATE_MARKER in (description_of(subject) or "")}

    def judge(self, facts: Facts) -> list[Finding]:
        """At most one finding."""
        if not facts["marker"]:
            return []
        message = f"the description still has the template's marker {quote(TEMPLATE_MARKER)}"
        fix = "write what the plugin does, for whom and how it was tested; then take out the comment"
        return [self.finding(message, fix, where="Description")]


def _render(text: str, kind: str) -> dict[str, Any]:
    if kind != RST:
        return {"rendered": bool(COMMENT.sub("", text).strip()), "line": None, "problem": "nothing is left to show"}
    rendering = render_description(text, kind)
    return {"rendered": rendering.html is not None, "line": rendering.line, "problem": rendering.problem}
