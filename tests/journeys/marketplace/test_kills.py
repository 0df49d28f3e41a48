"""SIGKILL of the server at random moments of uploads and validations: no acknowledged file is lost.

The moments come from a seed, which is printed; ``CHIMES_KILL_SEED`` repeats a run, ``CHIMES_KILL_POINTS`` says how
many there are.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chimes.processes import run
from market_factories import COMMAND, add_author, basic, make_market, make_wheel, run_env, serve
from packaging.utils import parse_wheel_filename

POINTS = int(os.environ.get("CHIMES_KILL_POINTS", "20"))
SEED = int(os.environ.get("CHIMES_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PAYLOAD_BYTES = 1_500_000
SETTLE_S = 420.0
SETTINGS: dict[str, Any] = {"slots": 2, "quiet_s": 0.5, "lease_s": 2}
WRITES = "import pathlib\npathlib.Path('/tmp/left-behind').write_text('by an import')\n"
UNDECIDED = ("staged", "validating")


@dataclass
class Acknowledged:
    """The files that the server accepted: for each name its digest and the expected state."""

    digests: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def test_a_killed_server_loses_nothing_that_it_acknowledged_and_decides_all(tmp_path: Path) -> None:
    print(f"seed {SEED}: repeat with CHIMES_KILL_SEED={SEED}")
    chance = random.Random(SEED)
    token = add_author(make_market(tmp_path))
    wheels = prepared(tmp_path / "wheels", chance)
    known = Acknowledged()
    for point in range(POINTS):
        batch = [wheels[2 * point], wheels[2 * point + 1]]
        # Half of the moments are during an upload, half after it.
        moment = chance.uniform(0.0, 0.15) if point % 2 else chance.uniform(0.3, 6.0)
        with serve(tmp_path, **SETTINGS) as server, ThreadPoolExecutor(len(batch)) as pool:
            assert_kept(server.url, token, known)
            pending = [pool.submit(publish, server.url, token, wheel, state, known) for wheel, state in batch]
            threading.Event().wait(moment)
            server.kill()
            for upload in pending:
                upload.result(30)
        print(f"point {point}: killed after {moment:.3f} s, {len(known.digests)} files acknowledged")
        assert_fsck_is_clean(tmp_path)
    with serve(tmp_path, **SETTINGS) as server:
        for wheel, state in wheels:
            publish(server.url, token, wheel, state, known)
        assert len(known.digests) == len(wheels)
        states = settled(server.url, token, list(known.digests))
        assert states == known.expected
        assert_kept(server.url, token, known)
        assert_only_listed_is_public(server.url, known)
    assert_fsck_is_clean(tmp_path)


def prepared(folder: Path, chance: random.Random) -> list[tuple[Path, str]]:
    """Two libraries for each moment: a correct one, and one that is correct or writes a file when it is imported."""
    found = []
    for number in range(2 * POINTS):
        is_bad = number % 4 == 3
        files: dict[str, bytes | str] = {f"kill_{number}/data.bin": chance.randbytes(PAYLOAD_BYTES)}
        if is_bad:
            files[f"kill_{number}/__init__.py"] = WRITES
        wheel = make_wheel(folder, f"kill-{number}", "1.0", files=files)
        found.append((wheel, "rejected" if is_bad else "listed"))
    return found


def publish(url: str, token: str, wheel: Path, state: str, known: Acknowledged) -> None:
    """Upload one wheel. A broken connection is expected here."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with contextlib.suppress(OSError, http.client.HTTPException):
        status, said = publish_file(url, token, wheel)
        assert status == 200, said
        with known.lock:
            known.digests[wheel.name] = digest
            known.expected[wheel.name] = state


def publish_file(url: str, token: str, wheel: Path) -> tuple[int, bytes]:
    """One legacy upload in pieces, so that a kill can happen between them; returns status and body."""
    body = wheel.read_bytes()
    name, version, _, _ = parse_wheel_filename(wheel.name)
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.4",
        "name": str(name),
        "version": str(version),
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "sha256_digest": hashlib.sha256(body).hexdigest(),
    }
    mark = "kills-boundary"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    ]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="content"; filename="{wheel.name}"\r\n\r\n')
    whole = "".join(parts).encode() + body + f"\r\n--{mark}--\r\n".encode()
    place = urlsplit(url)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={mark}",
        "Content-Length": str(len(whole)),
        **basic(token),
    }
    with contextlib.closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)) as connection:
        connection.request("POST", "/legacy/", body=pieces(whole), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def pieces(whole: bytes) -> Iterator[bytes]:
    for start in range(0, len(whole), 65_536):
        yield whole[start : start + 65_536]


def settled(url: str, token: str, files: list[str]) -> dict[str, str]:
    """The state of every release after all are decided; fails if one is stuck."""
    ends = time.monotonic() + SETTLE_S
    while True:
        states = {name: release_of(url, token, name)["state"] for name in files}
        waiting = sorted(name for name, state in states.items() if state in UNDECIDED)
        if not waiting:
            return states
        assert time.monotonic() < ends, f"stuck: {waiting}"
        threading.Event().wait(1)


def release_of(url: str, token: str, filename: str) -> dict[str, Any]:
    name, version, _, _ = parse_wheel_filename(filename)
    found: dict[str, Any] = json.loads(get(f"{url}/api/v1/projects/{name}/releases/{version}", token)[1])
    return found


def get(url: str, token: str | None = None) -> tuple[Message, bytes]:
    request = urllib.request.Request(url, headers=basic(token) if token else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers, answer.read()


def assert_kept(url: str, token: str, known: Acknowledged) -> None:
    for name, digest in known.digests.items():
        _, body = get(f"{url}/files/{digest}/{name}", token)
        assert hashlib.sha256(body).hexdigest() == digest, f"{name} changed"


def assert_only_listed_is_public(url: str, known: Acknowledged) -> None:
    page = get(f"{url}/simple/")[1].decode()
    for filename, state in known.expected.items():
        name = str(parse_wheel_filename(filename)[0])
        assert (f'/{name}/"' in page or f'"{name}/"' in page) == (state == "listed"), f"{name} is {state}"


def assert_fsck_is_clean(folder: Path) -> None:
    done = run([str(COMMAND), "fsck", "--data", str(folder / "data")], env=run_env(), timeout_s=120)
    assert done.returncode == 0, done.text
