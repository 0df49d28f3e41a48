"""The time from the close of a submission until pip can install it: the scaffolded plugin, with cached dependencies.

The peer in the same run is ``chimes check --sandbox`` of the same wheel on the same machine: the rest is the time
of the marketplace itself. ``--verify`` exits 1 where the promise does not hold: a median of at most 15 s on 2 cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from chimes.environments.cache import cache_folder
from chimes.processes import Process, run

BIN = Path(sys.executable).parent
MEDIAN_S = 15.0
TIMES = 5
JSON = "application/vnd.pypi.simple.v1+json"


def done(*argv: str | Path, env: dict[str, str] | None = None) -> str:
    """The output of a command; ends the benchmark if it failed."""
    ended = run([str(BIN / argv[0]), *map(str, argv[1:])], env={**os.environ, **(env or {})})
    if ended.returncode != 0:
        sys.exit(f"{argv[0]} failed: {ended.text}")
    return ended.stdout.decode().strip()


@contextlib.contextmanager
def marketplace(data: Path) -> Iterator[str]:
    """A running marketplace that shares this machine's caches."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    caches = {"UV_CACHE_DIR": done("uv", "cache", "dir"), "CHIMES_CACHE_DIR": str(cache_folder())}
    argv = [str(BIN / "chimes-marketplace"), "serve", "--data", str(data), "--host", "127.0.0.1", "--port", str(port)]
    with (data / "serve.log").open("wb") as log:
        process = Process(argv, env={**os.environ, **caches}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urlopen(f"{url}/healthz"):
                break
            time.sleep(0.1)
        yield url
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(15)


def wheels(folder: Path) -> list[Path]:
    """One version of the scaffolded plugin for each measurement, and one for the control run."""
    project = folder / "rain-score"
    done("chimes", "new", "model", project, "--no-input")
    pyproject, changes = project / "pyproject.toml", project / "CHANGELOG.md"
    for number in range(TIMES + 1):
        before, after = f"0.1.{number - 1}" if number else "0.1.0", f"0.1.{number}"
        for path in (pyproject, changes):
            path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
        done("uv", "build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable, project)
    return sorted((project / "dist").glob("*.whl"))


def asked(url: str, token: str | None = None, *, accept: str = "application/json", data: bytes | None = None) -> Any:
    """The JSON response of an address; None if it is refused or absent."""
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urlopen(Request(url, headers=headers, data=data)) as answer:
            return json.load(answer)
    except HTTPError as error:
        if error.code in (401, 404):
            return None
        raise


def listed_after(url: str, token: str, wheel: Path) -> tuple[float, float]:
    """Seconds from the close of the submission until the wheel is in the index, and of its run on the lane."""
    where = {"CHIMES_URL": url, "CHIMES_TOKEN": token}
    sent = json.loads(done("chimes", "publish", wheel, "--skip-checks", "--no-wait", "--json", env=where))
    while wheel.name not in names(url):
        time.sleep(0.05)
    listed = time.time()
    submission = asked(f"{url}/api/v1/submissions/{sent['submission']}", token)
    closed = next(step["at"] for step in submission["steps"] if step["state"] == "validating")
    (ran,) = submission["runs"]
    return listed - moment(closed), ran["seconds"]


def names(url: str) -> list[str]:
    """The files that the index lists of the plugin."""
    page = asked(f"{url}/simple/rain-score/", accept=JSON)
    return [file["filename"] for file in page["files"]] if page else []


def moment(text: str) -> float:
    """Seconds since the epoch of a time in UTC."""
    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Publish one version after the other; the first one waits for the control run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verify", action="store_true", help="exit 1 where the promise does not hold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        versions = wheels(folder)
        done("chimes", "check", versions[0], "--sandbox")
        started = time.perf_counter()
        done("chimes", "check", versions[0], "--sandbox")
        peer = time.perf_counter() - started
        with marketplace(data) as url:
            done("chimes-marketplace", "member", "add", "acme", "--name", "Acme", "--type", "industry", "--data", data)
            done("chimes-marketplace", "user", "add", "alice", "--member", "acme", "--data", data)
            token = done("chimes-marketplace", "token", "create", "--user", "alice", "--data", data)
            (first, _), *then = [listed_after(url, token, wheel) for wheel in versions]
    median, ran = (statistics.median(column) for column in zip(*then, strict=True))
    print(f"chimes check --sandbox of the same wheel     {peer:6.1f} s")
    promised = f"{median / peer:5.2f} x  (promised: {MEDIAN_S:.0f} s)"
    print(f"close to listed, median of {len(then)}                {median:6.1f} s  {promised}")
    print(f"  of that its run on the lane                {ran:6.1f} s")
    print(f"  of that the marketplace's own              {median - ran:6.1f} s")
    print(f"the first one, which waits for a control run {first:6.1f} s")
    sys.exit(1 if options.verify and median > MEDIAN_S else 0)


if __name__ == "__main__":
    main()
