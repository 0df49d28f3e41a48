"""The simple index: its content, its formats, and the projects that it hides."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import add_author, basic, make_sdist, make_wheel
from uploads import move, send

PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
JSON = "application/vnd.pypi.simple.v1+json"
ENCODINGS = {
    "identity": None,
    "gzip": "gzip",
    "gzip;q=0": None,
    "gzip; q = 0.000": None,
    "zstd;q=x": None,
    "gzip, deflate": "gzip",
    "zstd, gzip, br": "zstd",
    "gzip, zstd;q=0.5": "gzip",
}


class Anchors(HTMLParser):
    """The links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


@pytest.fixture
def listed(client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path) -> dict[str, Any]:
    """List a wheel and an sdist; return the response to the upload of the wheel."""
    first: dict[str, Any] = send(client, token, make_wheel(tmp_path)).json()
    send(client, token, make_sdist(tmp_path))
    move(market, first["submission"], "listed")
    return first


def page(client: TestClient[Any], path: str, accept: str = JSON, **headers: str) -> Any:
    return client.get(path, headers={"Accept": accept, **headers})


@pytest.mark.parametrize("accept", [PIP, UV])
def test_pip_and_uv_get_all_facts_as_json(
    client: TestClient[Any], listed: dict[str, Any], accept: str, tmp_path: Path
) -> None:
    answer = page(client, "/simple/acme-tools/", accept)
    assert answer.headers["content-type"] == JSON
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    document = answer.json()
    assert document["meta"] == {"api-version": "1.1"}
    assert (document["name"], document["versions"]) == ("acme-tools", ["0.1.0"])
    wheel, sdist = sorted(document["files"], key=lambda file: file["filename"].endswith(".tar.gz"))
    assert wheel["hashes"] == {"sha256": listed["sha256"]}
    assert wheel["size"] == make_wheel(tmp_path).stat().st_size
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", wheel["upload-time"])
    assert wheel["requires-python"] == ">=3.11"
    assert wheel["yanked"] is False
    assert wheel["url"] == f"../../files/{listed['sha256']}/{wheel['filename']}"
    metadata = client.get(f"/files/{listed['sha256']}/{wheel['filename']}.metadata")
    assert hashlib.sha256(metadata.content).hexdigest() == wheel["core-metadata"]["sha256"]
    assert sdist["core-metadata"] is False
    assert client.get("/simple/acme-tools/" + wheel["url"]).status_code == 200


def test_html_has_the_same_data_as_json(client: TestClient[Any], listed: dict[str, Any]) -> None:
    document = page(client, "/simple/acme-tools/").json()
    answer = page(client, "/simple/acme-tools/", "text/html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    anchors = {str(each["href"]): each for each in Anchors(answer.text).found}
    assert set(anchors) == {f"{file['url']}#sha256={file['hashes']['sha256']}" for file in document["files"]}
    for file in document["files"]:
        anchor = anchors[f"{file['url']}#sha256={file['hashes']['sha256']}"]
        assert anchor["data-requires-python"] == file["requires-python"]
        digest = file["core-metadata"] and f"sha256={file['core-metadata']['sha256']}"
        assert anchor.get("data-core-metadata", False) == digest
        assert "data-yanked" not in anchor
    assert 'name="pypi:repository-version"' in answer.text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/html"),
        ("image/png", "text/html"),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
        ("text/html;q=0.1, application/vnd.pypi.simple.v1+json;q=0.9", JSON),
        ("text/html, application/vnd.pypi.simple.v1+json;q=0.9", "text/html"),
        (";;,,=", "text/html"),
        ("application/vnd.pypi.simple.v1+json;q=inf", "text/html"),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.latest+html", "application/vnd.pypi.simple.v1+html"),
        ("application/vnd.pypi.simple.latest+json, text/html;q=0.5", JSON),
        ("text/html;q=0", JSON),
        ("text/html;q=0, */*", JSON),
        ("APPLICATION/VND.PYPI.SIMPLE.V1+JSON", JSON),
    ],
)
def test_format_is_the_one_that_the_client_prefers(
    client: TestClient[Any], listed: dict[str, Any], accept: str, kind: str
) -> None:
    for path in ("/simple/", "/simple/acme-tools/"):
        answer = page(client, path, accept)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)


def test_page_is_not_sent_to_a_client_that_refuses_every_format(
    client: TestClient[Any], listed: dict[str, Any]
) -> None:
    for path in ("/simple/", "/simple/acme-tools/", "/legacy/%2Bsimple/acme-tools/"):
        answer = page(client, path, "*/*;q=0, application/json")
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


def test_each_format_and_encoding_has_its_own_etag_and_is_not_sent_twice(
    client: TestClient[Any], market: Marketplace, token: str, listed: dict[str, Any], tmp_path: Path
) -> None:
    for number in range(3):
        added = send(client, token, make_wheel(tmp_path, version=f"0.{number + 2}")).json()
        move(market, added["submission"], "listed")
    tags = set()
    for accept in (JSON, "text/html", "application/vnd.pypi.simple.v1+html"):
        plain = page(client, "/simple/acme-tools/", accept, **{"Accept-Encoding": "identity"}).content
        for encoding, chosen in ENCODINGS.items():
            answer = page(client, "/simple/acme-tools/", accept, **{"Accept-Encoding": encoding})
            assert answer.headers.get("content-encoding") == chosen
            assert (zstd.decompress(answer.content) if chosen == "zstd" else answer.content) == plain
            tags.add(answer.headers["etag"])
            again = page(
                client,
                "/simple/acme-tools/",
                accept,
                **{"Accept-Encoding": encoding, "If-None-Match": f'"x", {answer.headers["etag"]}'},
            )
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == answer.headers["etag"]
            assert again.headers["cache-control"] == "no-cache"
    assert len(tags) == 9


def test_new_listing_changes_the_etag(
    client: TestClient[Any], market: Marketplace, token: str, listed: dict[str, Any], tmp_path: Path
) -> None:
    before = page(client, "/simple/acme-tools/")
    added = send(client, token, make_wheel(tmp_path, version="0.10")).json()
    assert page(client, "/simple/acme-tools/").headers["etag"] == before.headers["etag"]
    move(market, added["submission"], "listed")
    after = page(client, "/simple/acme-tools/", **{"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.json()["versions"]) == (200, ["0.1.0", "0.10"])


def test_upload_time_is_the_time_of_the_listing(
    client: TestClient[Any], market: Marketplace, listed: dict[str, Any]
) -> None:
    times = {file["upload-time"] for file in page(client, "/simple/acme-tools/").json()["files"]}
    assert len(times) == 1
    with market.database.reading() as session:
        submission = session.get_one(Submission, listed["submission"])
        assert times.pop() > submission.opened_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_root_lists_projects_with_a_listed_file(
    client: TestClient[Any], token: str, listed: dict[str, Any], tmp_path: Path
) -> None:
    send(client, token, make_wheel(tmp_path, name="acme-hidden"))
    assert page(client, "/simple/").json()["projects"] == [{"name": "acme-tools"}]
    assert client.get("/simple/", headers=basic(token)).text.count("<a ") == 1
    assert [each["href"] for each in Anchors(page(client, "/simple/", "text/html").text).found] == ["acme-tools/"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("/simple", "/simple/"),
        ("/simple/Acme_Tools/", "/simple/acme-tools/"),
        ("/simple/acme-tools", "/simple/acme-tools/"),
        ("/simple/No.Such/", "/simple/no-such/"),
    ],
)
def test_other_spelling_of_an_address_redirects_to_the_normalised_one(
    client: TestClient[Any], asked: str, meant: str
) -> None:
    answer = client.get(asked)
    assert (answer.status_code, answer.headers["location"]) == (301, f"http://testserver.local{meant}")


@pytest.mark.parametrize("name", ["absent", "a%20b", "-", "%2B", "a" * 300, "%00", "..%2f"])
def test_absent_project_is_404(client: TestClient[Any], name: str) -> None:
    assert client.get(f"/simple/{name}/").status_code == 404


def test_project_without_a_listed_file_is_not_404_for_other_members(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    sent = send(client, token, make_wheel(tmp_path)).json()
    stranger = add_author(market, "umbra", "eve")
    admin = add_author(market, "site", "root", role="admin")
    paths = ("/simple/acme-tools/", f"/files/{sent['sha256']}/{sent['filename']}")
    for path in paths:
        anonymous = client.get(path)
        assert (anonymous.status_code, anonymous.headers["www-authenticate"]) == (401, 'Basic realm="chimes"')
        assert client.get(path, headers=basic(stranger)).status_code == 403
        assert client.get(path, headers=basic("chimes-bad")).status_code == 403
    own = client.get(paths[0], headers=basic(token))
    assert own.status_code == 404
    assert "stage" in own.text
    for reader in (token, admin):
        assert client.get(paths[1], headers=basic(reader)).status_code == 200


def test_head_is_get_without_a_body(client: TestClient[Any], listed: dict[str, Any]) -> None:
    stage = listed["stage_url"].removeprefix("http://testserver.local")
    file = f"files/{listed['sha256']}/{listed['filename']}"
    paths = ["/simple/", "/simple/acme-tools/", f"/{file}", f"/{file}.metadata", stage, f"{stage}acme-tools/"]
    for path in [*paths, stage.replace("simple/", file)]:
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "cache-control", "content-type", "content-length"):
            assert head.headers[name] == got.headers[name], (path, name)


def test_nothing_is_posted_to_the_index(client: TestClient[Any]) -> None:
    answer = client.post("/simple/")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


def test_hatch_finds_the_page_at_its_address(client: TestClient[Any], listed: dict[str, Any]) -> None:
    address = "/legacy/%2Bsimple/acme-tools/"
    (anchor, _) = Anchors(page(client, address, "text/html").text).found
    assert client.get(f"{address}{anchor['href']}").status_code == 200


def test_local_version_has_an_address_that_works(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    sent = send(client, token, make_wheel(tmp_path, version="0.1.0+cann8")).json()
    assert sent["version"] == "0.1.0+cann8"
    move(market, sent["submission"], "listed")
    (file,) = page(client, "/simple/acme-tools/").json()["files"]
    assert "%2B" in file["url"]
    assert client.get(f"/simple/acme-tools/{file['url']}").status_code == 200
