"""How long an operator's command takes, as multiples of ``python -c 'import sqlmodel'`` in the same run.

``--verify`` exits 1 where the promise does not hold: 1.6 times for each command.
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

ROUNDS = 11
PROMISED = 1.6
COMMAND = str(Path(sys.executable).with_name("chimes-marketplace"))
PEER = (sys.executable, "-c", "import sqlmodel")
CASES = {
    "member add": ("member", "add", "member-{round}", "--name", "Acme", "--type", "industry"),
    "user add": ("user", "add", "user-{round}", "--member", "member-{round}"),
    "token create": ("token", "create", "--user", "user-{round}"),
    "submission list": ("submission", "list"),
}


def measure(argv: Sequence[str], env: dict[str, str]) -> float:
    """Seconds of one run."""
    started = time.perf_counter()
    done = run(argv, env=env)
    elapsed = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} failed: {done.text}")
    return elapsed


def main() -> None:
    """Measure in rounds, so that a busy moment affects every case; compare medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="exit 1 where the promise does not hold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        env = {**os.environ, "CHIMES_DATA_DIR": str(Path(name) / "market")}
        times: dict[str, list[float]] = {"peer": [], **{case: [] for case in CASES}}
        for number in range(ROUNDS + 1):
            times["peer"].append(measure(PEER, env))
            for case, words in CASES.items():
                argv = (COMMAND, *(word.format(round=number) for word in words))
                times[case].append(measure(argv, env))
    # The first round makes the database and fills the system's caches.
    peer = statistics.median(times["peer"][1:])
    print(f"{'python -c import sqlmodel':<34} {peer * 1000:6.0f} ms")
    broken = False
    for case in CASES:
        median = statistics.median(times[case][1:])
        holds = median / peer <= PROMISED
        broken |= not holds
        line = f"{'chimes-marketplace ' + case:<34} {median * 1000:6.0f} ms  {median / peer:4.2f} x  ({PROMISED} x)"
        print(line + ("" if holds else "  BROKEN"))
    sys.exit(1 if broken and options.verify else 0)


if __name__ == "__main__":
    main()
