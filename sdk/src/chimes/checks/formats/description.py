"""A distribution's description: its content type, and its HTML, rendered in a bounded process of its own."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from email.message import Message

from chimes.errors import ChimesError
from chimes.processes import run

__all__ = ["RST", "Rendering", "parse_content_type", "render_description"]

RST = "text/x-rst"
"""The type of a description without a content type."""
TIMEOUT_S = 60.0
HTML_BYTES = 4 << 20
TOO_MUCH = "rendering takes more than the time or memory allowed"


@dataclass(frozen=True)
class Rendering:
    """The result. ``html`` is sanitised by readme_renderer; None where the text does not render.

    ``line`` and ``problem``: the place and the renderer's own words of the first problem.
    """

    html: str | None
    line: int | None
    problem: str


def parse_content_type(value: str) -> str:
    """The type of a Description-Content-Type field, in lower case and without parameters."""
    message = Message()
    message["content-type"] = value.replace("\n", " ")
    return message.get_content_type()


def render_description(text: str, content_type: str, *, timeout_s: float = TIMEOUT_S) -> Rendering:
    """Render the text in a child process. Never raises for what is in it."""
    argv = [sys.executable, "-I", "-m", "chimes.checks.formats.rendering", content_type]
    try:
        stdin = text.encode("utf-8", "replace")
        done = run(argv, stdin=stdin, timeout_s=timeout_s, max_output_bytes=HTML_BYTES, guarded=True)
        found = json.loads(done.stdout)
        return Rendering(found["html"], found["line"], found["problem"])
    except (ChimesError, ValueError, KeyError, TypeError):
        return Rendering(None, None, TOO_MUCH)
