"""The lane's jobs: their environment, what they cannot see, and how they are found again."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from chimes.checks.rules import FileRules
from chimes.conformance.rules import Rules
from chimes.kinds.backend import JobState
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.runfolder import RunFolder
from chimes_marketplace.settings import Settings

INDEX = "http://127.0.0.1:8000/simple/"
SERVER = {
    "PATH": "/usr/bin:/bin",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "no_proxy": "example.org",
    "SSL_CERT_FILE": "/etc/ssl/own.pem",
    "PIP_INDEX_URL": "https://mirror.example/simple/",
    "UV_EXTRA_INDEX_URL": "https://elsewhere.example/simple/",
    "UV_COMPILE_BYTECODE": "1",
    "CHIMES_TOKEN": "chimes-secret",
    "CHIMES_MARKETPLACE_DATABASE_URL": "postgresql://user:password@host/db",
    "PYTHONPATH": "/somewhere",
}


def lane(folder: Path, environ: dict[str, str]) -> Lane:
    return Lane(Settings(data=folder, run_s=60), index_url=INDEX, environ=environ)


def prepared(root: Path) -> RunFolder:
    blob = root / "blob"
    blob.write_bytes(b"bytes")
    folder = RunFolder(root / "runs" / "1-1", "acme_rain-0.1.0-py3-none-any.whl")
    rules = Rules.model_validate({"call_s": 7.5, "files": {"reserved_prefixes": ["wuhan-"]}})
    folder.prepare(blob, nonce="5a" * 32, rules=rules, granted="acme-rain")
    return folder


def test_a_job_reaches_both_indexes_and_sees_nothing_else_of_the_server(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    spec = lane(tmp_path, SERVER).spec(folder)
    assert spec.env == {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder.work),
        "TMPDIR": str(folder.tmp),
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "no_proxy": "example.org,127.0.0.1",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "UV_INDEX": INDEX,
        "UV_DEFAULT_INDEX": "https://mirror.example/simple/",
        "UV_CACHE_DIR": str(tmp_path / "cache" / "uv"),
        "CHIMES_CACHE_DIR": str(tmp_path / "cache" / "chimes"),
    }
    assert spec.command[0] == sys.executable
    assert spec.command[-1] == str(folder.file)
    assert spec.resources.walltime_s == 60


def test_cache_settings_of_the_server_are_passed_to_the_jobs(tmp_path: Path) -> None:
    given = {"UV_CACHE_DIR": "/shared/uv", "CHIMES_CACHE_DIR": "/shared/chimes"}
    env = lane(tmp_path, given).spec(prepared(tmp_path)).env
    assert given.items() <= env.items()


def test_without_a_proxy_no_proxy_exception_is_set(tmp_path: Path) -> None:
    env = lane(tmp_path, {}).spec(prepared(tmp_path)).env
    assert not [name for name in env if "PROXY" in name.upper()]


def test_the_run_folder_has_the_bytes_and_the_granted_name(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    assert folder.file.read_bytes() == b"bytes"
    files = FileRules(reserved_prefixes=("wuhan-",), granted_names=frozenset({"acme-rain"}))
    assert Rules.read(folder.rules) == Rules(call_s=7.5, files=files)
    assert folder.nonce.stat().st_mode & 0o777 == 0o600


def test_documents_of_a_job_are_read_with_a_limit_and_never_through_a_link(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    (folder.out / "verdict.json").symlink_to(folder.nonce)
    (folder.out / "run.json").mkdir()
    with (folder.out / "pylock.toml").open("wb") as stream:
        stream.truncate(33 << 20)
    (folder.out / "logs").mkdir()
    for number in range(3):
        (folder.out / "logs" / f"{number}.log").write_bytes(b"x" * (700 << 10))
    documents = folder.read_documents()
    assert (documents.verdict, documents.record, documents.lock) == (None, None, None)
    assert len(documents.log) == 1 << 20


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_job_is_started_once_and_found_by_another_lane(tmp_path: Path, cancelled: bool) -> None:
    first = lane(tmp_path, {})
    code = "import time; time.sleep(60)" if cancelled else "print('done')"
    spec = first.spec(prepared(tmp_path)).model_copy(update={"command": (sys.executable, "-c", code)})
    handle = first.submit(spec, key="1-1")
    assert first.submit(spec, key="1-1") == handle
    first.close()
    second = lane(tmp_path, {})
    if cancelled:
        second.cancel(handle)
    deadline = time.monotonic() + 30
    while not (status := second.status([handle])[0]).state.is_final:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert status.state == (JobState.CANCELLED if cancelled else JobState.SUCCEEDED)
    assert second.output(handle, "stdout") == (b"" if cancelled else b"done\n")
