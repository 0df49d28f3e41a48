"""The process in which a build backend runs, inside a sandbox (PEP 517): answers with a wheel on its standard output.

Stands alone: the environment of a build has what the project asks for, and not the SDK. The answer is one
frame (``chimes.rpc.frames``): ``{"requires": [...]}`` where the backend wants more than is there, or
``{"wheel": name}`` with the bytes.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import struct
import sys
from functools import reduce
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main(options: dict[str, Any]) -> None:
    """Build a copy of ``source`` once, in the folder ``work``.

    More ``options``: ``backend``, ``backend_path``, and ``staged``, whether the backend was asked already.
    """
    answer = _take_standard_output()
    source, dist = Path(options["work"], "source"), Path(options["work"], "dist")
    shutil.copytree(options["source"], source, symlinks=True)
    dist.mkdir()
    os.chdir(source)
    sys.path[:0] = [str(source / folder) for folder in options["backend_path"]]
    backend = _backend(options["backend"])
    ask = getattr(backend, "get_requires_for_build_wheel", None)
    if ask is not None and not options["staged"] and (wanted := ask(None)):
        _write_frame(answer, {"requires": list(wanted)})
        return
    name = backend.build_wheel(str(dist), None)
    _write_frame(answer, {"wheel": name}, (dist / name).read_bytes())


def _take_standard_output() -> int:
    """Where the answer goes. What the backend prints goes to standard error."""
    answer = os.dup(1)
    os.dup2(2, 1)
    return answer


def _backend(address: str) -> Any:
    module, _, names = address.partition(":")
    return reduce(getattr, filter(None, names.split(".")), importlib.import_module(module))


def _write_frame(fd: int, header: dict[str, Any], *blobs: bytes) -> None:
    body = json.dumps(header).encode("utf-8")
    lengths = b"".join(struct.pack(">Q", len(blob)) for blob in blobs)
    with os.fdopen(fd, "wb") as stream:
        stream.write(b"chm1" + struct.pack(">II", len(body), len(blobs)) + lengths + body)
        stream.writelines(blobs)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
