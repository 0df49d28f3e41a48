"""Renders one description in a process of its own: ``python -m chimes_marketplace.pages.readmes.child TYPE < text``.

A hostile text can cost any amount of time and memory, or end the process, so the process limits itself before it
reads. Prints the sanitised HTML; exit status 1 if it does not render.
"""

from __future__ import annotations

import resource
import sys
import warnings

from readme_renderer import markdown, rst, txt

__all__ = ["CPU_S", "MEMORY_BYTES", "main", "render"]

CPU_S = 10
MEMORY_BYTES = 1 << 30


def render(text: str, kind: str) -> str | None:
    """HTML with nothing in it that runs, or None."""
    if kind == "text/markdown":
        return markdown.render(text)
    if kind == "text/x-rst":
        return rst.render(text)
    return txt.render(text)


def main() -> int:
    """Read standard input, write the result."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    rendered = render(sys.stdin.buffer.read().decode("utf-8"), sys.argv[1])
    sys.stdout.buffer.write((rendered or "").encode("utf-8"))
    return 0 if rendered else 1


if __name__ == "__main__":
    sys.exit(main())
