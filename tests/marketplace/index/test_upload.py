"""The legacy upload as clients see it: accepted files, refused files, and the messages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.catalog.projects import get_project
from chimes_marketplace.catalog.releases import list_releases
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import add_author, basic, make_sdist, make_wheel
from uploads import BOUNDARY, body_of, client_of, form_of, list_all_files, move, send


def left_over(market: Marketplace) -> list[Path]:
    """Temporary files that uploads did not remove."""
    return list((market.settings.data / "blobs" / "incoming").iterdir())


def test_wheel_is_accepted_and_the_response_has_its_addresses(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    answer = send(client, token, wheel)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert {key: said[key] for key in ("state", "project", "version", "filename", "sha256")} == {
        "state": "staged",
        "project": "acme-tools",
        "version": "0.1.0",
        "filename": wheel.name,
        "sha256": digest,
    }
    assert said["report_url"].startswith("http://")
    assert "/stage/" in said["stage_url"]
    assert not [finding for finding in said["findings"] if finding["severity"] == "error"]
    assert market.blobs.read(digest) == wheel.read_bytes()
    assert left_over(market) == []


def test_wheel_and_sdist_of_a_release_share_a_submission(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    second = send(client, token, make_sdist(tmp_path)).json()
    assert first["submission"] == second["submission"]


def test_name_and_version_may_be_spelt_differently_in_the_form(
    client: TestClient[Any], token: str, tmp_path: Path
) -> None:
    answer = send(client, token, make_wheel(tmp_path), change={"name": "Acme_Tools", "version": "v0.1"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["project"] == "acme-tools"


@pytest.mark.parametrize(
    "change",
    [
        {"protocol_version": None},
        {"requires_python": ""},
        {"requires_python": "UNKNOWN"},
        {"summary": "UNKNOWN"},
        {"sha256_digest": None},
        {"blake2_256_digest": None},
    ],
    ids=str,
)
def test_absent_optional_field_or_placeholder_is_accepted(
    client: TestClient[Any], token: str, tmp_path: Path, change: dict[str, str | None]
) -> None:
    assert send(client, token, make_wheel(tmp_path), change=change).status_code == 200


def test_unknown_fields_signatures_and_attestations_are_accepted(
    client: TestClient[Any], token: str, tmp_path: Path
) -> None:
    more = [("comment", "x"), ("attestations", "[]"), ("import_name", "a"), ("import_names", "b"), ("quux", "1")]
    signature = ('gpg_signature"; filename="a.asc', b"\xff\x00")
    assert send(client, token, make_wheel(tmp_path), more=[*more, signature]).status_code == 200


def test_action_may_be_in_the_query(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    answer = send(client, token, make_wheel(tmp_path), change={":action": None}, address="/legacy/?:action=file_upload")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("change", "more", "filename", "status", "code", "named"),
    [
        ({":action": None}, [], "", 400, "bad-form", ":action"),
        ({":action": "dance"}, [], "", 400, "bad-form", "dance"),
        ({":action": "submit"}, [], "", 410, "gone", "submit"),
        ({":action": "doc_upload"}, [], "", 410, "gone", "doc_upload"),
        ({"protocol_version": "2"}, [], "", 400, "bad-form", "protocol_version"),
        ({"name": None}, [], "", 400, "bad-form", "name"),
        ({"name": "-x-"}, [], "", 400, "bad-form", "-x-"),
        ({"name": "a" * 300}, [], "", 400, "bad-form", "300"),
        ({"version": None}, [], "", 400, "bad-form", "version"),
        ({"version": "one"}, [], "", 400, "bad-form", "one"),
        ({"metadata_version": None}, [], "", 400, "bad-form", "metadata_version"),
        ({"filetype": None}, [], "", 400, "bad-form", "filetype"),
        ({"filetype": "bdist_egg"}, [], "", 400, "bad-form", "bdist_egg"),
        ({"filetype": "sdist"}, [], "", 400, "bad-form", "sdist"),
        ({}, [], "a/b.whl", 400, "bad-form", "a/b.whl"),
        ({}, [], "..\\b.whl", 400, "bad-form", "b.whl"),
        ({}, [], None, 400, "bad-form", "content"),
        ({}, [("content", "text")], None, 400, "bad-form", "content"),
        ({}, [('content"; filename="x.whl', "text")], "", 400, "bad-form", "two files"),
        ({}, [("name", "other")], "", 400, "bad-form", "other"),
        ({}, [('summary"; filename="s.txt', "text")], "", 400, "bad-form", "summary"),
        ({}, [("", "text")], "", 400, "bad-form", "no name"),
        ({}, [("author", b"\xff\xfe")], "", 400, "bad-form", "author"),
        ({}, [("description", "x" * (1 << 20))], "", 400, "bad-form", "1048576"),
        ({"sha256_digest": "0" * 64}, [], "", 400, "bad-digest", "sha256_digest"),
        ({"blake2_256_digest": "0" * 64}, [], "", 400, "bad-digest", "blake2_256_digest"),
        ({}, [("md5_digest", "0" * 32)], "", 400, "bad-digest", "md5_digest"),
        ({"sha256_digest": None, "blake2_256_digest": None}, [], "", 400, "bad-digest", "no digest"),
        ({"summary": "Others."}, [], "", 400, "form-differs", "one finding blocks"),
        ({"name": "acme-other"}, [], "", 400, "form-differs", "one finding blocks"),
        ({"version": "9"}, [], "", 400, "form-differs", "one finding blocks"),
        ({}, [("requires_dist", "numpy>=2")], "", 400, "form-differs", "one finding blocks"),
        ({}, [("requires_python", ">=3.99")], "", 400, "form-differs", "one finding blocks"),
    ],
    ids=str,
)
def test_unusable_form_is_refused_with_its_code_and_value(
    client: TestClient[Any],
    market: Marketplace,
    token: str,
    tmp_path: Path,
    change: dict[str, str | None],
    more: list[tuple[str, str | bytes]],
    filename: str | None,
    status: int,
    code: str,
    named: str,
) -> None:
    answer = send(client, token, make_wheel(tmp_path), change=change, more=more, filename=filename)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert named in answer.json()["message"]
    assert answer.json()["fix"]
    assert list_all_files(market) == []
    assert left_over(market) == []
    assert list(market.blobs.entries()) == []


@pytest.mark.parametrize("digest", ["sha256_digest", "blake2_256_digest", "md5_digest"])
def test_each_digest_alone_is_enough_in_any_case(
    client: TestClient[Any], token: str, tmp_path: Path, digest: str
) -> None:
    wheel = make_wheel(tmp_path)
    md5 = hashlib.md5(wheel.read_bytes(), usedforsecurity=False).hexdigest()
    given = {**dict(form_of(wheel)), "md5_digest": md5}[digest].upper()
    change: dict[str, str | None] = {"sha256_digest": None, "blake2_256_digest": None}
    assert send(client, token, wheel, change=change, more=[(digest, given)]).status_code == 200


def test_requirement_that_only_the_file_has_is_refused(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, requires=["numpy>=2"])
    answer = send(client, token, wheel, change={"requires_dist": None})
    assert answer.status_code == 400
    (finding,) = [each for each in answer.json()["findings"] if each["severity"] == "error"]
    assert (finding["code"], finding["where"], finding["blocks"]) == ("A17", "requires_dist", "upload")
    assert "numpy>=2" in finding["message"]


def test_requirements_in_another_order_and_spelling_agree(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, requires=["Num_Py >=2, <3", "attrs; python_version > '3.8'"])
    more = [("requires_dist", 'attrs ; python_version>"3.8"'), ("requires_dist", "num-py<3,>=2")]
    answer = send(client, token, wheel, change={"requires_dist": None}, more=more)
    assert answer.status_code == 200, answer.text


def test_keywords_agree_with_any_separator(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, metadata=["Keywords: a,b"])
    assert send(client, token, wheel, more=[("keywords", "a, b")]).status_code == 200


def test_all_findings_are_reported_together(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, name="json", version="1.0", files={"tests/__init__.py": b""})
    answer = send(client, token, wheel, change={"summary": "Others."})
    assert (answer.status_code, answer.json()["code"]) == (400, "checks-failed")
    found = answer.json()["findings"]
    assert {"A07", "A12", "A17"} <= {each["code"] for each in found if each["blocks"] == "upload"}
    assert all(set(each) == {"code", "severity", "blocks", "message", "fix", "where"} for each in found)


def test_error_is_text_for_twine_and_problem_details_for_uv(
    client: TestClient[Any], token: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    change = {"summary": "Others."}
    text = send(client, token, wheel, change=change, headers={"Accept": "*/*", "User-Agent": "twine/7.0.0"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "A17 error in summary: summary differs" in text.text
    accept = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
    problem = send(client, token, wheel, change=change, headers={"Accept": accept, "User-Agent": "uv/0.13"})
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["detail"] + "\n" == text.text


def test_refusal_of_a_damaged_wheel_names_the_fault(client: TestClient[Any], token: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    broken = wheel.read_bytes()[:-30]
    change = {"sha256_digest": hashlib.sha256(broken).hexdigest(), "blake2_256_digest": None}
    answer = send(client, token, wheel, change=change, data=broken)
    assert answer.json()["code"] == "checks-failed"
    assert "A01" in {each["code"] for each in answer.json()["findings"]}


def test_only_an_admin_may_use_a_reserved_name(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, name="chimes", version="0.1.0")
    assert send(client, token, wheel).json()["code"] == "checks-failed"
    admin = add_author(market, "site", "root", role="admin")
    answer = send(client, admin, wheel)
    assert answer.status_code == 200, answer.text


def test_upload_without_token_and_with_a_bad_one_is_403(client: TestClient[Any], tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    for token in (None, "chimes-unknown"):
        answer = send(client, token, wheel)
        assert (answer.status_code, answer.json()["code"]) == (403, "credentials-refused")


def test_name_of_another_member_is_refused(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    send(client, token, make_wheel(tmp_path))
    foreign = add_author(market, "umbra", "eve")
    answer = send(client, foreign, make_wheel(tmp_path, version="0.2.0"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not-yours")


def test_token_of_one_project_is_refused_for_others(
    client: TestClient[Any], market: Marketplace, tmp_path: Path
) -> None:
    scoped = add_author(market, project="acme-tools")
    assert send(client, scoped, make_wheel(tmp_path)).status_code == 200
    answer = send(client, scoped, make_wheel(tmp_path, name="acme-more"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not-yours")


def test_lookalike_of_another_members_name_blocks_review(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    send(client, token, make_wheel(tmp_path, name="acme-tools"))
    foreign = add_author(market, "umbra", "eve")
    answer = send(client, foreign, make_wheel(tmp_path, name="acme-too1s"))
    assert answer.status_code == 200
    (finding,) = [each for each in answer.json()["findings"] if each["code"] == "A13"]
    assert (finding["severity"], finding["blocks"]) == ("error", "review")
    own = send(client, token, make_wheel(tmp_path, name="acmetools"))
    assert "A13" in {each["code"] for each in own.json()["findings"]}, "another member's too1s is there now"


def test_larger_file_than_allowed_is_413(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    answer = send(client, token, make_wheel(tmp_path), data=b"x" * ((1 << 20) + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")
    assert left_over(market) == []


def test_body_that_announces_too_many_bytes_is_413_whatever_space_is_free(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    answer = send(client, token, make_wheel(tmp_path), headers={"Content-Length": str(1 << 60)})
    assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")
    assert left_over(market) == []


def test_full_disk_is_507_before_anything_is_stored(market: Marketplace, token: str, tmp_path: Path) -> None:
    class Full(LocalBlobs):
        def free_bytes(self) -> int:
            return 1 << 20

    full = Marketplace(
        settings=market.settings,
        database=market.database,
        blobs=Full(market.settings.data / "blobs"),
        arrivals=market.arrivals,
    )
    with client_of(full) as client:
        answer = send(client, token, make_wheel(tmp_path))
    assert (answer.status_code, answer.json()["code"]) == (507, "disk-full")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("", b""),
        ("multipart/form-data", b""),
        (f"multipart/form-data; boundary={BOUNDARY}", b""),
        (f"multipart/form-data; boundary={BOUNDARY}", b"garbage"),
        (f"multipart/form-data; boundary={BOUNDARY}", b"--5d2b1c\r\nX\r\n\r\n"),
        (f"multipart/form-data; boundary={BOUNDARY}", b"--5d2b1c\r\nContent-Type: a\r\n\r\nx\r\n--5d2b1c--"),
        (f"multipart/form-data; boundary={BOUNDARY}", body_of([("name", "x")], "a.whl", b"abc")[:-9]),
        (f"multipart/form-data; boundary={BOUNDARY}", b"\xff" * 100),
        ("multipart/form-data; boundary=\xff", b"--"),
    ],
)
def test_body_that_is_not_a_form_is_400(client: TestClient[Any], token: str, kind: str, body: bytes) -> None:
    headers = {**basic(token), "Accept": "application/json", "Content-Type": kind}
    sent = {key.encode(): value.encode("latin-1") for key, value in headers.items()}
    answer = client.post("/legacy/", content=body, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-form"), answer.text


def test_retired_action_in_the_query_is_410(client: TestClient[Any], token: str) -> None:
    answer = client.post("/legacy/?:action=submit", headers=basic(token))
    assert answer.status_code == 410


def test_address_without_slash_is_redirected(client: TestClient[Any]) -> None:
    answer = client.post("/legacy?:action=file_upload", content=b"x")
    assert answer.status_code == 308
    assert answer.headers["location"] == "http://testserver.local/legacy/?:action=file_upload"
    assert client.get("/legacy/").status_code == 405


def test_only_a_new_file_wakes_the_validation(market: Marketplace, token: str, tmp_path: Path) -> None:
    woken: list[int] = []
    waking = Marketplace(
        settings=market.settings,
        database=market.database,
        blobs=market.blobs,
        arrivals=market.arrivals,
        wake=lambda: woken.append(1),
    )
    with client_of(waking) as client:
        wheel = make_wheel(tmp_path)
        send(client, token, wheel)
        send(client, token, wheel)
    assert woken == [1]


def test_release_is_arriving_until_the_end_of_the_upload(market: Marketplace, token: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    seen: list[bool] = []

    class Watched(LocalBlobs):
        def keep(self, incoming: Any) -> str:
            seen.append(market.arrivals.is_arriving("acme-tools", "0.1"))
            return super().keep(incoming)

    watched = Marketplace(
        settings=market.settings,
        database=market.database,
        blobs=Watched(market.settings.data / "blobs"),
        arrivals=market.arrivals,
    )
    with client_of(watched) as client:
        send(client, token, wheel)
    assert seen
    assert all(seen)
    assert not market.arrivals.is_arriving("acme-tools", "0.1.0")


def test_later_upload_changes_nothing_public_of_a_listed_release(
    client: TestClient[Any], market: Marketplace, token: str, tmp_path: Path
) -> None:
    first = send(client, token, make_wheel(tmp_path)).json()
    move(market, first["submission"], "listed")
    other = make_wheel(tmp_path, tag="py3-none-linux_x86_64", metadata=["Author: Eve"])
    second = send(client, token, other).json()
    assert second["submission"] != first["submission"]
    with market.database.reading() as session:
        project = get_project(session, name="acme-tools")
        assert project.id is not None
        (release,) = list_releases(session, project_id=project.id)
        assert "author" not in release.about
