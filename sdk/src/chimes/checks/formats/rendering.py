"""Renders one reStructuredText description in a process of its own.

Run as ``python -m chimes.checks.formats.rendering < text``.

A hostile text can cost any amount of time and memory, so the process limits itself before it reads. Prints
one JSON object: ``rendered``, ``line`` (of the first problem, or null), ``problem``.
"""

from __future__ import annotations

import io
import json
import re
import sys

from readme_renderer import rst

if sys.platform != "win32":
    import resource

__all__ = ["CPU_S", "MEMORY_BYTES", "main", "render"]

CPU_S = 20
MEMORY_BYTES = 1 << 30
PLACE = re.compile(r":(\d+): \((?:WARNING|ERROR|SEVERE)/\d\) (.*)")


def render(text: str) -> dict[str, object]:
    """Whether ``text`` renders, and where and why not."""
    stream = io.StringIO()
    try:
        rendered = rst.render(text, stream=stream) is not None
    except (RecursionError, MemoryError) as error:
        return {"rendered": False, "line": None, "problem": type(error).__name__}
    found = PLACE.search(stream.getvalue())
    line, problem = (int(found[1]), found[2][:200]) if found else (None, stream.getvalue().strip()[:200])
    return {"rendered": rendered, "line": line, "problem": problem}


def limit() -> None:
    """Bound this process's CPU time and memory, where the system can; the caller's time limit always holds."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    """Read standard input, write the result."""
    limit()
    sys.stdout.write(json.dumps(render(sys.stdin.buffer.read().decode("utf-8"))))


if __name__ == "__main__":
    main()
