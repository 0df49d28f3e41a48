"""How long light commands take, as multiples of ``python -c 'import click'`` in the same run.

``--verify`` exits 1 where a promise does not hold. The promises: ``--version`` and ``--help`` 2.5 times, ``list`` with
200 generated plugins 6 times, ``import chimes`` 2 times; none of them loads pydantic or pyarrow.
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

ROUNDS = 15
PLUGINS = 200
CHIMES = str(Path(sys.executable).with_name("chimes"))
PEER = (sys.executable, "-c", "import click")
CASES: dict[str, tuple[tuple[str, ...], float, int]] = {
    "chimes --version": ((CHIMES, "--version"), 2.5, 150),
    "chimes --help": ((CHIMES, "--help"), 2.5, 150),
    f"chimes list, {PLUGINS} plugins": ((CHIMES, "list"), 6, 300),
    "import chimes": ((sys.executable, "-c", "import chimes"), 2, 100),
}
ENTRY = """from chimes import Registration, hookimpl


@hookimpl
def chimes_models():
    target = "bench_{number}.model:Model"
    return [Registration(name="model", summary="Number {number}", target=target, api="chimes.model/1")]
"""


def generate(folder: Path) -> None:
    """Write the generated plugins below ``folder``."""
    for number in range(PLUGINS):
        package = folder / f"bench_{number}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(ENTRY.format(number=number))
        info = folder / f"bench_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[chimes]\nbench = bench_{number}.plugin\n")


def measure(argv: Sequence[str], env: dict[str, str]) -> float:
    """Seconds of one run."""
    started = time.perf_counter()
    done = run(argv, env=env)
    elapsed = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} failed: {done.text}")
    return elapsed


def main() -> None:
    """Measure in rounds, so that a busy moment touches every case; compare medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="exit 1 where a promise does not hold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))
        env = {**os.environ, "PYTHONPATH": name}
        times: dict[str, list[float]] = {"peer": [], **{case: [] for case in CASES}}
        for _ in range(ROUNDS + 1):
            times["peer"].append(measure(PEER, env))
            for case, (argv, _, _) in CASES.items():
                times[case].append(measure(argv, env))
    peer = statistics.median(times["peer"][1:])
    print(f"{'python -c import click':<28} {peer * 1000:6.0f} ms")
    broken = False
    for case, (_, ratio, most_ms) in CASES.items():
        median = statistics.median(times[case][1:])
        holds = median / peer <= ratio
        broken |= not holds
        line = f"{case:<28} {median * 1000:6.0f} ms  {median / peer:4.1f} x  (promised: {ratio} x, about {most_ms} ms)"
        print(line + ("" if holds else "  BROKEN"))
    sys.exit(1 if broken and options.verify else 0)


if __name__ == "__main__":
    main()
