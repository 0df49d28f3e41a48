"""The process in which a library's modules are imported, inside a sandbox: answers one frame on its standard streams.

Stands alone, with two files beside it that need nothing either: the environment of a library has what the library
declares, and the SDK only where it is declared. Nothing that this process says is trusted.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["main"]


def main(modules: list[str]) -> None:
    """Answer the judge's one question: what importing the modules changed in this process, and which of them failed.

    Also which modules of others that ``brought``. Those that the question names are imported ``first``: what they
    change is not the library's doing.
    """
    frames, own = _beside("frames"), _beside("ownprocess")
    reader, writer = own.take_standard_streams()
    request, _ = frames.read_frame(reader)
    for name in request["first"]:
        _failure(name)
    loaded, before = set(sys.modules), own.state()
    own.mark("import-begin")
    failures = [failure for name in modules if (failure := _failure(name))]
    own.mark("import-end")
    after = own.state()
    changed = sorted(key for key in after if after[key] != before[key])
    brought = [name for name in sys.modules if name not in loaded and _is_of_others(name, modules)]
    value = {"failures": failures, "changed": changed, "brought": brought}
    frames.write_frame(writer, {"ok": True, "value": value}, seal=own.seal_of(request))
    # The judge ends this process: what would run at its own end would be seen or not by chance.
    os.read(reader, 1)


def _failure(name: str) -> list[Any] | None:
    """The module's name, whether another module was missing, and what was said; None for one that is imported."""
    try:
        importlib.import_module(name)
    except BaseException as error:
        return [name, isinstance(error, ModuleNotFoundError), traceback.format_exception_only(error)[-1].strip()[:2000]]
    return None


def _is_of_others(name: str, modules: list[str]) -> bool:
    own = any(name == module or name.startswith(f"{module}.") for module in modules)
    return not own and name.partition(".")[0] not in sys.stdlib_module_names


def _beside(name: str) -> ModuleType:
    # Not by the path: there a library's own module of this name could come first.
    spec = importlib.util.spec_from_file_location(f"_chimes_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(sys.argv[1:])
