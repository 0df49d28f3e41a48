"""The index with real twine, uv and pip, each in its own environment, and a real server."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from chimes.processes import Completed, run
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.submissions.states import get_submission
from chimes_marketplace.web.state import Marketplace
from market_factories import Server, add_author, basic, make_market, make_sdist, make_wheel, run_env, serve
from uploads import BOUNDARY, body_of, form_of, list_all_files, move

UV = Path(sys.executable).with_name("uv")
QUIET = 3600
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with pip, twine and uv."""
    place = tmp_path_factory.mktemp("clients") / "env"
    for argv in (
        ["venv", "-q", "--python", sys.executable, str(place)],
        ["pip", "install", "-q", "--python", str(place), "pip>=26", "twine>=7", "uv>=0.13"],
    ):
        made = run([str(UV), *argv], timeout_s=300)
        assert made.returncode == 0, made.text
    return place / "bin"


class Site:
    """A running marketplace, its database, and clients without the machine's settings."""

    def __init__(self, server: Server, market: Marketplace, bin: Path, home: Path) -> None:
        self.server, self.market, self.bin, self.home = server, market, bin, home
        self.url = server.url
        self.token = add_author(market)

    def run(self, *argv: str, **env: str) -> Completed:
        own = {
            "HOME": str(self.home),
            "PIP_CONFIG_FILE": "/dev/null",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(self.home / "uv"),
            "NETRC": str(self.home / "netrc"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "NO_COLOR": "1",
            "COLUMNS": "400",
        }
        return run([str(self.bin / argv[0]), *argv[1:]], env={**run_env(), **own, **env}, cwd=self.home, timeout_s=120)

    def twine(self, *files: Path, token: str | None = None, more: tuple[str, ...] = ()) -> Completed:
        names = map(str, files)
        return self.run(
            *("twine", "upload", "--non-interactive", "--disable-progress-bar", *more),
            *("--repository-url", f"{self.url}/legacy/", *names),
            TWINE_USERNAME="__token__",
            TWINE_PASSWORD=token or self.token,
        )

    def uv_publish(self, *files: Path, token: str | None = None) -> Completed:
        argv = ("uv", "publish", "--publish-url", f"{self.url}/legacy/", *map(str, files))
        return self.run(*argv, UV_PUBLISH_TOKEN=token or self.token)

    def environment(self, name: str) -> str:
        """An empty environment to install into."""
        made = self.run("uv", "venv", "-q", "--no-python-downloads", "--python", sys.executable, name)
        assert made.returncode == 0, made.text
        return str(self.home / name)

    def pip(self, into: str, *argv: str, index: str | None = None) -> Completed:
        address = index or f"{self.url}/simple/"
        return self.run("pip", "--python", into, "--no-input", "install", "--index-url", address, *argv)

    def uv_pip(self, into: str, *argv: str, index: str | None = None) -> Completed:
        address = index or f"{self.url}/simple/"
        return self.run("uv", "pip", "install", "--python", into, "--index-url", address, *argv)

    def list_all(self) -> None:
        """List all uploaded files, as the validation would."""
        for number in sorted({file.submission_id for file in list_all_files(self.market) if file.listed_at is None}):
            move(self.market, number, "listed")

    def page(self, path: str) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=JSON)) as answer:
            return json.load(answer)


@pytest.fixture
def site(tmp_path: Path, clients: Path) -> Iterator[Site]:
    market = make_market(tmp_path / "site")
    home = tmp_path / "home"
    home.mkdir()
    with serve(tmp_path / "site", quiet_s=QUIET) as server:
        yield Site(server, market, clients, home)
    market.database.close()


def test_twine_uploads_and_pip_and_uv_install_what_was_listed(site: Site, tmp_path: Path) -> None:
    wheel, sdist = make_wheel(tmp_path, requires=["acme-more>=0.1"]), make_sdist(tmp_path, requires=["acme-more>=0.1"])
    more = make_wheel(tmp_path, name="acme-more")
    uploaded = site.twine(wheel, sdist, more)
    assert uploaded.returncode == 0, uploaded.text
    again = site.twine(wheel, sdist, more)
    assert again.returncode == 0, again.text
    assert len(list_all_files(site.market)) == 3
    into = site.environment("early")
    assert site.pip(into, "acme-tools").returncode != 0
    assert site.uv_pip(into, "acme-tools").returncode != 0
    site.list_all()
    for name, install in (("by-pip", site.pip), ("by-uv", site.uv_pip)):
        into = site.environment(name)
        done = install(into, "acme-tools")
        assert done.returncode == 0, done.text
        assert list(Path(into).glob("lib/python*/site-packages/acme_tools-0.1.0.dist-info/METADATA"))
        assert list(Path(into).glob("lib/python*/site-packages/acme_more-0.1.0.dist-info/METADATA"))


def test_uv_publishes_what_pip_installs_by_hash(site: Site, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, name="Acme.Tools")
    uploaded = site.uv_publish(wheel, make_sdist(tmp_path, name="Acme.Tools"))
    assert uploaded.returncode == 0, uploaded.text
    assert site.uv_publish(wheel).returncode == 0
    site.list_all()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"acme-tools==0.1.0 --hash=sha256:{digest}\n")
    for name, install in (("by-pip", site.pip), ("by-uv", site.uv_pip)):
        done = install(site.environment(name), "--require-hashes", "-r", str(wanted))
        assert done.returncode == 0, done.text


def test_only_the_stage_url_installs_before_the_listing(site: Site, tmp_path: Path) -> None:
    site.twine(make_wheel(tmp_path))
    (file,) = list_all_files(site.market)
    with site.market.database.reading() as session:
        secret = get_submission(session, id=file.submission_id).secret
    stage = f"{site.url}/stage/{secret}/simple/"
    for name, install in (("by-pip", site.pip), ("by-uv", site.uv_pip)):
        into = site.environment(name)
        assert install(into, "acme-tools").returncode != 0
        done = install(into, "acme-tools", index=stage)
        assert done.returncode == 0, done.text


def test_new_version_is_installed_at_once_by_clients_with_warm_caches(site: Site, tmp_path: Path) -> None:
    site.twine(make_wheel(tmp_path))
    site.list_all()
    into = {"pip": site.environment("by-pip"), "uv": site.environment("by-uv")}
    assert site.pip(into["pip"], "acme-tools").returncode == 0
    assert site.uv_pip(into["uv"], "acme-tools").returncode == 0
    site.twine(make_wheel(tmp_path, version="0.2.0"))
    site.list_all()
    for client, install in (("pip", site.pip), ("uv", site.uv_pip)):
        done = install(into[client], "--upgrade", "acme-tools")
        assert done.returncode == 0, done.text
        assert list(Path(into[client]).glob("lib/python*/site-packages/acme_tools-0.2.0.dist-info")), done.text


def test_refusal_reaches_the_author_through_twine_and_uv(site: Site, tmp_path: Path) -> None:
    bad = make_wheel(tmp_path, name="json", version="1.0", files={"tests/__init__.py": b""})
    short = site.twine(bad)
    assert short.returncode != 0
    assert "400 Bad Request" in short.text
    verbose = site.twine(bad, more=("--verbose",))
    said = " ".join(verbose.text.split())
    for text in ("[checks-failed]", "A07 error", "A12 error", "'json' is the name of a standard library module"):
        assert text in said
    published = site.uv_publish(bad)
    assert published.returncode != 0
    said = " ".join(published.text.split())
    for text in (
        "[checks-failed]",
        "A07 error",
        "A12 error",
        "'json' is the name of a standard library module",
        "Fix:",
    ):
        assert text in said, published.text


def test_other_bytes_of_a_listed_file_are_refused_to_both_clients(site: Site, tmp_path: Path) -> None:
    site.twine(make_wheel(tmp_path))
    site.list_all()
    other = make_wheel(tmp_path / "other", files={"acme_tools/answer.py": "ANSWER = 42\n"})
    assert "File already exists" in site.twine(other, more=("--verbose",)).text
    assert "File already exists" in site.uv_publish(other).text
    (file,) = list_all_files(site.market)
    assert file.sha256 == hashlib.sha256(make_wheel(tmp_path).read_bytes()).hexdigest()


def test_foreign_and_scoped_tokens_are_refused_to_both_clients(site: Site, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    site.twine(wheel)
    foreign = add_author(site.market, "umbra", "eve")
    scoped = add_author(site.market, project="acme-else")
    for token, reason in (
        (foreign, "belongs to another member"),
        (scoped, "token is for the project"),
        ("chimes-unknown", "token is unknown"),
    ):
        newer = make_wheel(tmp_path, version="0.2.0")
        assert "403" in site.twine(newer, token=token).text
        published = site.uv_publish(newer, token=token)
        assert published.returncode != 0
        assert reason in " ".join(published.text.split()), published.text
    assert len(list_all_files(site.market)) == 1


def peak_kib(pid: int) -> int:
    """The peak memory of the process."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_large_wheel_streams_through_with_flat_memory(site: Site, tmp_path: Path) -> None:
    # Random bytes, because they cannot be compressed.
    wheel = make_wheel(tmp_path, files={"acme_tools/data.bin": random.Random(7).randbytes(64 << 20)})
    site.twine(make_wheel(tmp_path, name="acme-first"))
    before = peak_kib(site.server.process.pid)
    uploaded = site.twine(wheel)
    assert uploaded.returncode == 0, uploaded.text
    peak = peak_kib(site.server.process.pid)
    assert peak - before < 48 * 1024, f"{before} KiB before, {peak} KiB at most"


def test_aborted_upload_stores_nothing_and_the_retry_succeeds(site: Site, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"acme_tools/data.bin": bytes(range(256)) * 4096})
    body = body_of(list(form_of(wheel)), wheel.name, wheel.read_bytes())
    host = urlsplit(site.url)
    with socket.create_connection((host.hostname or "", host.port or 0)) as client:
        head = (
            f"POST /legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Authorization: {basic(site.token)['Authorization']}\r\n\r\n"
        )
        client.sendall(head.encode() + body[: len(body) // 2])
    done = site.twine(wheel)
    assert done.returncode == 0, done.text
    (file,) = list_all_files(site.market)
    blobs = LocalBlobs(site.market.settings.data / "blobs")
    assert blobs.is_sound(file.sha256)
    assert {entry.digest for entry in blobs.entries()} == {file.sha256, file.metadata_sha256}
    assert list((site.market.settings.data / "blobs" / "incoming").iterdir()) == []


def test_client_of_a_large_refused_upload_reads_the_response(site: Site, tmp_path: Path) -> None:
    host = urlsplit(site.url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port)
    body = body_of([("name", "x")], "x.whl", b"\0" * (20 << 20))
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    connection.request("POST", "/legacy/", body, {"Content-Type": kind})
    assert connection.getresponse().status == 403
    connection.close()


def test_range_requests_and_metadata_work_over_the_wire(site: Site, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    site.twine(wheel)
    site.list_all()
    (file,) = site.page("/simple/acme-tools/")["files"]
    address = urljoin(f"{site.url}/simple/acme-tools/", file["url"])
    asked = urllib.request.Request(address, headers={"Range": "bytes=-10"})
    with urllib.request.urlopen(asked) as answer:
        assert (answer.status, answer.read()) == (206, wheel.read_bytes()[-10:])
    with urllib.request.urlopen(address + ".metadata") as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == file["core-metadata"]["sha256"]
