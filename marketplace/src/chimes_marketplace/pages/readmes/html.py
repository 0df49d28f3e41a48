"""A release's description as HTML that is safe to show, or as plain text where it does not render."""

from __future__ import annotations

import functools
import sys
from email.message import Message
from typing import Any

from chimes.errors import ChimesError
from chimes.processes import run
from markupsafe import Markup

from chimes_marketplace.pages.readmes.markup import tame

__all__ = ["readme_of"]

LONGEST = 512 << 10
HTML_BYTES = 4 << 20
TIMEOUT_S = 20


def readme_of(about: dict[str, Any]) -> Markup | str:
    """From core metadata: Markup if it renders, else its text as it is; empty if there is none."""
    text = str(about.get("description") or "")
    message = Message()
    message["content-type"] = str(about.get("description_content_type") or "text/x-rst").replace("\n", " ")
    return text if len(text) > LONGEST else _rendered(text, message.get_content_type())


@functools.lru_cache(maxsize=256)
def _rendered(text: str, kind: str) -> Markup | str:
    if not text.strip():
        return ""
    argv = [sys.executable, "-I", "-m", "chimes_marketplace.pages.readmes.child", kind]
    try:
        done = run(argv, stdin=text.encode("utf-8", "replace"), timeout_s=TIMEOUT_S, max_output_bytes=HTML_BYTES)
    except ChimesError:
        return text
    if done.returncode != 0 or len(done.stdout) >= HTML_BYTES:
        return text
    return Markup(tame(done.stdout.decode("utf-8", "replace")))
