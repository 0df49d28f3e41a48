"""The program of a child in which a build backend runs (PEP 517; see ``chimes.rpc.bootstrap``).

It needs only the standard library: the environment of a build contains the build requirements, and not the SDK.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chimes.rpc.bootstrap import Connection

__all__ = ["build"]


def build(
    connection: Connection, *, source: str, work: str, backend: str, backend_path: list[str], staged: bool
) -> None:
    """Build a copy of ``source`` once, in the folder ``work``.

    The answer is ``{"wheel": name}`` with the bytes, or ``{"requires": [...]}`` if the backend needs more requirements.
    ``staged``: these are installed.
    """
    copy, dist = Path(work, "source"), Path(work, "dist")
    shutil.copytree(source, copy, symlinks=True)
    dist.mkdir()
    os.chdir(copy)
    sys.path[:0] = [str(copy / folder) for folder in backend_path]
    hooks = _backend(backend)
    ask = getattr(hooks, "get_requires_for_build_wheel", None)
    if ask is not None and not staged and (wanted := ask(None)):
        connection.answer({"requires": list(wanted)})
        return
    name = hooks.build_wheel(str(dist), None)
    connection.answer({"wheel": name}, [(dist / name).read_bytes()])


def _backend(address: str) -> Any:
    module, _, names = address.partition(":")
    return reduce(getattr, filter(None, names.split(".")), importlib.import_module(module))
