"""Renders one description to HTML in a process of its own.

Run as ``python -m chimes.checks.formats.rendering CONTENT_TYPE < text``.

A hostile text can cost any amount of time and memory, so the process limits itself before it reads. Prints one JSON
object: ``html`` (null where it does not render), ``line`` (of the first problem, or null), ``problem``.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import warnings

if sys.platform != "win32":
    import resource

__all__ = ["CPU_S", "MEMORY_BYTES", "main", "render"]

CPU_S = 20
MEMORY_BYTES = 1 << 30
PLACE = re.compile(r":(\d+): \((?:WARNING|ERROR|SEVERE)/\d\) (.*)")
RENDERERS = {"text/markdown": "markdown", "text/x-rst": "rst"}
"""Content type to the module of readme_renderer; other types are plain text."""


def render(text: str, content_type: str) -> dict[str, object]:
    """The sanitised HTML of ``text``, or where and why it does not render."""
    # Only the needed renderer is imported: Markdown's needs an extra that the checks do not install.
    renderer = importlib.import_module(f"readme_renderer.{RENDERERS.get(content_type, 'txt')}")
    stream = io.StringIO()
    try:
        html = renderer.render(text, stream=stream) if content_type == "text/x-rst" else renderer.render(text)
    except (RecursionError, MemoryError) as error:
        return {"html": None, "line": None, "problem": type(error).__name__}
    found = PLACE.search(stream.getvalue())
    line, problem = (int(found[1]), found[2][:200]) if found else (None, stream.getvalue().strip()[:200])
    return {"html": html, "line": line, "problem": problem}


def limit() -> None:
    """Bound this process's CPU time and memory, where the system can; the caller's time limit always holds."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    """Read standard input, write the result."""
    limit()
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(render(sys.stdin.buffer.read().decode("utf-8"), sys.argv[1])))


if __name__ == "__main__":
    main()
