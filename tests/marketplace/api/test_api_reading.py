"""The API for reading: everything for the project's member, the listed part for everyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chimes_marketplace.app import create_app
from chimes_marketplace.web.state import Marketplace
from litestar import Litestar
from litestar.testing import TestClient
from market_factories import add_author, basic, make_market
from release_factories import FINDING, make_release

RELEASE = "/api/v1/projects/acme-tools/releases/1.0"


@pytest.fixture
def stranger(market: Marketplace) -> dict[str, str]:
    return basic(add_author(market, member="bella", user="bob"))


@pytest.fixture
def admin(market: Marketplace) -> dict[str, str]:
    return basic(add_author(market, member="centre", user="root", role="admin"))


@pytest.fixture
def client(market: Marketplace, alice: dict[str, str]) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(market), base_url="http://chimes.example") as client:
        yield client


def refused(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert body["message"]
    assert body["fix"]
    return answer.status_code, body["code"]


def test_a_listed_release_is_shown_without_a_token(client: TestClient[Litestar], market: Marketplace) -> None:
    made = make_release(market)
    answer = client.get(RELEASE).json()
    assert {key: answer[key] for key in ("project", "version", "state", "level", "type", "stage_url", "findings")} == {
        "project": "acme-tools",
        "version": "1.0",
        "state": "listed",
        "level": "verified",
        "type": "plugin",
        "stage_url": None,
        "findings": [],
    }
    assert answer["submissions"] == [{"id": made.id, "state": "listed"}]
    assert answer["components"] == [{"kind": "model", "name": "answer", "level": "verified", "seeded": True}]
    assert answer["report_url"] == f"http://chimes.example/reports/{made.id}/"
    assert answer["files"][0]["url"] == f"http://chimes.example/files/{made.sha256}/{made.filename}"


def test_any_spelling_of_name_and_version_is_understood(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market)
    assert client.get("/api/v1/projects/Acme_Tools/releases/v1.0.0").json()["version"] == "1.0"


def test_the_member_of_a_release_gets_the_stage_address(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, state="rejected", findings=[FINDING])
    answer = client.get(RELEASE, headers=alice).json()
    assert answer["state"] == "rejected"
    assert answer["findings"] == [FINDING]
    assert answer["stage_url"] == f"http://chimes.example/stage/{made.secret}/simple/"
    assert answer["files"][0]["url"].startswith(f"http://chimes.example/stage/{made.secret}/files/")


def test_an_admin_of_another_member_can_read_but_gets_no_secret(
    client: TestClient[Litestar], market: Marketplace, admin: dict[str, str]
) -> None:
    made = make_release(market, state="held", findings=[FINDING])
    answer = client.get(RELEASE, headers=admin)
    assert answer.json()["state"] == "held"
    assert made.secret not in answer.text


def test_an_unlisted_release_is_refused_and_never_404(
    client: TestClient[Litestar], market: Marketplace, stranger: dict[str, str]
) -> None:
    made = make_release(market, state="staged")
    for path in (RELEASE, "/api/v1/projects/acme-tools", f"/api/v1/submissions/{made.id}"):
        assert refused(client.get(path)) == (401, "credentials-required"), path
        assert refused(client.get(path, headers=stranger)) == (403, "not-yours"), path
    assert client.get(RELEASE).headers["www-authenticate"].startswith("Basic")


def test_a_token_for_another_project_reads_nothing(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market, state="staged")
    scoped = basic(add_author(market, project="acme-other"))
    assert refused(client.get(RELEASE, headers=scoped)) == (403, "not-yours")


def test_a_bad_token_is_refused_even_for_a_listed_release(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market)
    assert refused(client.get(RELEASE, headers=basic("chimes-nothing"))) == (403, "credentials-refused")


def test_a_later_submission_of_a_listed_release_stays_hidden(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    listed = make_release(market)
    later = make_release(
        market, state="rejected", findings=[FINDING], filename="acme_tools-1.0-cp311-cp311-linux_x86_64.whl"
    )
    public, own = client.get(RELEASE), client.get(RELEASE, headers=alice)
    assert public.json()["submissions"] == [{"id": listed.id, "state": "listed"}]
    assert public.json()["findings"] == []
    assert "linux_x86_64" not in public.text
    assert later.secret not in public.text
    assert own.json()["state"] == "listed"
    assert [each["id"] for each in own.json()["submissions"]] == [later.id, listed.id]
    assert own.json()["findings"] == [FINDING]


def test_unlisted_versions_of_a_listed_project_are_hidden(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    make_release(market)
    make_release(market, version="2.0", state="validating")
    base = "/api/v1/projects/acme-tools"
    assert refused(client.get(f"{base}/releases/2.0")) == (401, "credentials-required")
    assert refused(client.get(f"{base}/releases/3.0")) == (404, "not-found")
    assert refused(client.get(f"{base}/releases/{'1' * 5000}")) == (404, "not-found")
    assert [each["version"] for each in client.get(base).json()["releases"]] == ["1.0"]
    assert [each["state"] for each in client.get(base, headers=alice).json()["releases"]] == ["validating", "listed"]


def test_absent_projects_and_releases_are_404(client: TestClient[Litestar]) -> None:
    for path in ("/api/v1/projects/nothing", "/api/v1/projects/nothing/releases/1.0", "/api/v1/projects/%00"):
        assert refused(client.get(path)) == (404, "not-found"), path
    assert refused(client.get("/api/v1/submissions/7")) == (404, "not-found")
    assert refused(client.get("/api/v1/submissions/99999999999999999999")) == (400, "bad-request")


def test_the_list_has_each_listed_project_in_its_newest_final_version(
    client: TestClient[Litestar], market: Marketplace
) -> None:
    for version in ("1.0", "1.10", "1.9", "2.0rc1"):
        make_release(market, version=version)
    make_release(market, "acme-shared", kind="library")
    make_release(market, "acme-secret", state="held")
    rows = client.get("/api/v1/projects").json()["projects"]
    assert [(row["name"], row["version"], row["type"]) for row in rows] == [
        ("acme-shared", "1.0", "library"),
        ("acme-tools", "1.10", "plugin"),
    ]
    assert [row["name"] for row in client.get("/api/v1/projects?q=TOOLS model").json()["projects"]] == ["acme-tools"]


def test_addresses_begin_with_the_public_url(tmp_path: Path) -> None:
    market = make_market(tmp_path, public_url="https://chimes.hubei.example/market/")
    add_author(market)
    make_release(market)
    with TestClient(create_app(market)) as client:
        assert client.get(RELEASE).json()["report_url"] == "https://chimes.hubei.example/market/reports/1/"


@pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/projects/acme-tools", RELEASE, "/api/v1/submissions/1"])
def test_responses_to_requests_with_a_token_are_not_cached(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str], path: str
) -> None:
    make_release(market)
    for who, rule in ((alice, "private, no-store"), ({}, "no-cache")):
        answer = client.get(path, headers=who)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, rule)
        assert answer.headers["vary"] == "Authorization"


def test_responses_to_changes_and_refusals_are_not_cached(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, state="staged")
    closed = client.post(f"/api/v1/submissions/{made.id}/close", headers=alice)
    assert (closed.status_code, closed.headers["cache-control"]) == (200, "private, no-store")
    answer = client.get(f"/api/v1/submissions/{made.id}")
    assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")
    assert "Authorization" in answer.headers["vary"]
