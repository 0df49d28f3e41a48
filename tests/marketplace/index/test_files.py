"""Files in whole and in parts, and the stage."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.index.ranges import parse_range
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import basic, make_wheel
from uploads import move, send

IMMUTABLE = "public, max-age=31536000, immutable"
STATES = ["staged", "validating", "held", "listed", "rejected", "cancelled", "infra"]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path)


@pytest.fixture
def sent(client: TestClient[Any], token: str, wheel: Path) -> dict[str, Any]:
    answer: dict[str, Any] = send(client, token, wheel).json()
    return answer


@pytest.fixture
def address(market: Marketplace, sent: dict[str, Any]) -> str:
    """The address of the listed wheel."""
    move(market, sent["submission"], "listed")
    return f"/files/{sent['sha256']}/{sent['filename']}"


def stage_of(sent: dict[str, Any]) -> str:
    return str(sent["stage_url"]).removeprefix("http://testserver.local").removesuffix("simple/")


def test_listed_file_is_complete_and_cacheable_forever(client: TestClient[Any], address: str, wheel: Path) -> None:
    answer = client.get(address)
    assert answer.content == wheel.read_bytes()
    assert answer.headers["cache-control"] == IMMUTABLE
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(wheel.stat().st_size)
    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=10-10", 10, 11),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=0-99999999", 0, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_part_of_a_file_is_206(
    client: TestClient[Any], address: str, wheel: Path, asked: str, start: int, stop: int | None
) -> None:
    data = wheel.read_bytes()
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == data[start:stop]
    first = range(len(data))[start]
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(data)}"
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_part_outside_is_416(client: TestClient[Any], address: str, wheel: Path, asked: str) -> None:
    answer = client.get(address, headers={"Range": asked, "Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range-outside")
    assert answer.headers["content-range"] == f"bytes */{wheel.stat().st_size}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=9-1", "bytes=-", "lines=0-1", "bytes=a-b", "x", f"bytes={'9' * 40}-", "bytes=²-"]
)
def test_invalid_range_gives_the_whole_file(client: TestClient[Any], address: str, asked: str) -> None:
    assert client.get(address, headers=[(b"Range", asked.encode())]).status_code == 200


def test_range_of_an_empty_file_is_outside() -> None:
    assert parse_range("", 0) is None
    assert parse_range("bytes=0-0", 1) == range(1)


def test_resumed_download_continues_only_with_the_same_bytes(
    client: TestClient[Any], address: str, wheel: Path
) -> None:
    tag = client.head(address).headers["etag"]
    same = client.get(address, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (same.status_code, same.content) == (206, wheel.read_bytes()[100:])
    for other in ('"other"', f"W/{tag}", "Mon, 01 Jan 2024 00:00:00 GMT"):
        assert client.get(address, headers={"Range": "bytes=100-", "If-Range": other}).status_code == 200


def test_metadata_is_the_same_as_in_the_wheel(client: TestClient[Any], address: str, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.read("acme_tools-0.1.0.dist-info/METADATA")
    answer = client.get(address + ".metadata")
    assert answer.content == inside
    assert answer.headers["cache-control"] == IMMUTABLE


@pytest.mark.parametrize(
    "path",
    [
        f"/files/{'0' * 64}/acme_tools-0.1.0-py3-none-any.whl",
        "/files/nodigest/acme_tools-0.1.0-py3-none-any.whl",
        "/files/../acme.whl",
    ],
)
def test_absent_file_is_404(client: TestClient[Any], address: str, path: str) -> None:
    assert client.get(path).status_code == 404


def test_known_digest_with_another_name_is_404(client: TestClient[Any], address: str) -> None:
    assert client.get(address.replace("any.whl", "linux_x86_64.whl")).status_code == 404


def test_unlisted_file_is_not_for_shared_caches(client: TestClient[Any], token: str, sent: dict[str, Any]) -> None:
    answer = client.get(f"/files/{sent['sha256']}/{sent['filename']}", headers=basic(token))
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("state", STATES)
def test_stage_shows_a_submission_in_every_state(
    client: TestClient[Any], market: Marketplace, sent: dict[str, Any], wheel: Path, state: str
) -> None:
    move(market, sent["submission"], state)
    stage = stage_of(sent)
    page = client.get(f"{stage}simple/acme-tools/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    assert page.headers["cache-control"] == "private, no-store"
    (file,) = page.json()["files"]
    for suffix in ("", ".metadata"):
        answer = client.get(f"{stage}simple/acme-tools/{file['url']}{suffix}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"
    assert "acme-tools" in client.get(f"{stage}simple/").text


def test_stage_has_listed_files_of_its_project_and_of_others(
    client: TestClient[Any], market: Marketplace, token: str, address: str, tmp_path: Path
) -> None:
    other = send(client, token, make_wheel(tmp_path, name="acme-more")).json()
    move(market, other["submission"], "listed")
    newer = send(client, token, make_wheel(tmp_path, version="0.2.0")).json()
    stage = stage_of(newer)
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    assert client.get(f"{stage}simple/acme-tools/", headers=accept).json()["versions"] == ["0.1.0", "0.2.0"]
    (file,) = client.get(f"{stage}simple/acme-more/", headers=accept).json()["files"]
    assert client.get(f"{stage}simple/acme-more/{file['url']}").status_code == 200
    assert client.get("/simple/acme-tools/", headers=accept).json()["versions"] == ["0.1.0"]


def test_stage_shows_its_own_bytes_and_no_other_submission(
    client: TestClient[Any], market: Marketplace, token: str, sent: dict[str, Any], tmp_path: Path
) -> None:
    hidden = send(client, token, make_wheel(tmp_path, name="acme-hidden")).json()
    stage = stage_of(sent)
    assert client.get(f"{stage}simple/acme-hidden/").status_code == 401
    assert client.get(f"{stage}files/{hidden['sha256']}/{hidden['filename']}").status_code == 404
    assert "acme-hidden" not in client.get(f"{stage}simple/").text


def test_wrong_stage_is_404(client: TestClient[Any], sent: dict[str, Any]) -> None:
    for path in ("simple/", "simple/acme-tools/", f"files/{sent['sha256']}/{sent['filename']}"):
        assert client.get(f"/stage/wrong/{path}").status_code == 404


def test_stage_redirects_to_the_normalised_address(client: TestClient[Any], sent: dict[str, Any]) -> None:
    stage = stage_of(sent)
    for asked, meant in (("simple", "simple/"), ("simple/Acme_Tools/", "simple/acme-tools/")):
        answer = client.get(stage + asked)
        assert (answer.status_code, answer.headers["location"]) == (301, f"http://testserver.local{stage}{meant}")
