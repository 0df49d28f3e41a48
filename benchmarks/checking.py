"""How long ``chimes check`` of a newly rendered model takes: on this machine, and in a sandbox first and later.

The peer of the check on this machine is ``python -m build`` of the same project, which is part of that check. The
peer of the sandboxed check is ``uv pip install`` of the same requirements into a new environment, from the same warm
download cache. ``--verify`` exits 1 where a promise does not hold, on 2 cores: 4 s on this machine; in a sandbox 60 s
the first time and 20 s later.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chimes.processes import run

BIN = Path(sys.executable).parent
PLAIN_S, FIRST_S, THEN_S = 4, 60, 20
ROUNDS = 5


def timed(label: str, argv: Sequence[str | Path], env: dict[str, str]) -> float:
    """Seconds of one successful run."""
    started = time.perf_counter()
    done = run([str(part) for part in argv], env=env)
    elapsed = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{label} failed: {done.text}")
    return elapsed


def main() -> None:
    """Render, check on this machine, check in a sandbox with an empty environment cache, check again twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="exit 1 where a promise does not hold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "CHIMES_CACHE_DIR": str(folder / "cache"), "PATH": f"{BIN}:{os.environ['PATH']}"}
        project = folder / "rain-score"
        timed("chimes new", [BIN / "chimes", "new", "model", project, "--no-input"], env)
        build: list[str | Path] = [
            BIN / "python",
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            folder / "dist",
            project,
        ]
        plain: list[str | Path] = [BIN / "chimes", "check", project]
        # In rounds, so that a busy moment affects both; the first round fills the system's caches.
        rounds = [(timed("build", build, env), timed("chimes check", plain, env)) for _ in range(ROUNDS + 1)]
        built, checked = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
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
    print(f"python -m build of the same project       {built:6.1f} s")
    print(
        f"chimes check                              {checked:6.1f} s  {checked / built:5.1f} x  (promised: {PLAIN_S} s)"
    )
    print(f"uv pip install of the same requirements   {peer:6.1f} s")
    print(f"chimes check --sandbox, the first time    {first:6.1f} s  {first / peer:5.1f} x  (promised: {FIRST_S} s)")
    print(f"chimes check --sandbox, then              {then:6.1f} s  {then / peer:5.1f} x  (promised: {THEN_S} s)")
    is_broken = checked > PLAIN_S or first > FIRST_S or then > THEN_S
    sys.exit(1 if options.verify and is_broken else 0)


if __name__ == "__main__":
    main()
