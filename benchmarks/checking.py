"""How long ``chimes check --sandbox`` of a newly rendered model takes: the first time and later.

The peer in the same run is ``uv pip install`` of the same requirements into a new environment, from the same warm
download cache. ``--verify`` exits 1 where a promise does not hold: under 60 s the first time, 20 s later, on 2 cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chimes.processes import run

BIN = Path(sys.executable).parent
FIRST_S, THEN_S = 60, 20


def timed(label: str, argv: Sequence[str | Path], env: dict[str, str]) -> float:
    """Seconds of one successful run."""
    started = time.perf_counter()
    done = run([str(part) for part in argv], env=env)
    elapsed = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{label} failed: {done.text}")
    return elapsed


def main() -> None:
    """Render, check with an empty environment cache, check again twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="exit 1 where a promise does not hold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "CHIMES_CACHE_DIR": str(folder / "cache"), "PATH": f"{BIN}:{os.environ['PATH']}"}
        project = folder / "rain-score"
        timed("chimes new", [BIN / "chimes", "new", "model", project, "--no-input"], env)
        timed("uv venv", [BIN / "uv", "venv", "--quiet", folder / "peer"], env)
        packages: list[str | Path] = ["click", "packaging", "pluggy", "pyarrow", "pydantic", "rich"]
        install: list[str | Path] = [
            BIN / "uv",
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            folder / "peer/bin/python",
        ]
        peer = timed("uv pip install", (*install, *packages), env)
        check: list[str | Path] = [BIN / "chimes", "check", project, "--sandbox"]
        first = timed("chimes check", check, env)
        then = min(timed("chimes check", check, env) for _ in range(2))
    print(f"uv pip install of the same requirements   {peer:6.1f} s")
    print(f"chimes check --sandbox, the first time    {first:6.1f} s  {first / peer:5.1f} x  (promised: {FIRST_S} s)")
    print(f"chimes check --sandbox, then              {then:6.1f} s  {then / peer:5.1f} x  (promised: {THEN_S} s)")
    sys.exit(1 if options.verify and (first > FIRST_S or then > THEN_S) else 0)


if __name__ == "__main__":
    main()
