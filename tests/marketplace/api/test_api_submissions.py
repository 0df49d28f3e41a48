"""Actions of a member on a submission, and their responses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from chimes_marketplace.app import create_app
from chimes_marketplace.web.state import Marketplace
from litestar import Litestar
from litestar.testing import TestClient
from market_factories import add_author, basic
from release_factories import make_release, verdict

WOKEN: list[str] = []


@pytest.fixture
def client(market: Marketplace, alice: dict[str, str]) -> Iterator[TestClient[Litestar]]:
    WOKEN.clear()
    with TestClient(create_app(replace(market, wake=lambda: WOKEN.append("woken")))) as client:
        yield client


def test_closing_begins_the_validation(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, state="staged")
    answer = client.post(f"/api/v1/submissions/{made.id}/close", headers=alice)
    assert answer.status_code == 200
    assert answer.json()["state"] == "validating"
    assert [(step["state"], step["actor"]) for step in answer.json()["steps"]] == [
        ("staged", "alice"),
        ("validating", "alice"),
    ]
    assert WOKEN == ["woken"]


def test_a_cancelled_submission_can_be_retried(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, state="validating")
    cancelled = client.post(f"/api/v1/submissions/{made.id}/cancel", headers=alice).json()
    assert (cancelled["state"], cancelled["attempt"]) == ("cancelled", 1)
    again = client.post(f"/api/v1/submissions/{made.id}/retry", headers=alice).json()
    assert (again["state"], again["attempt"], again["reason"]) == ("validating", 2, None)


def test_an_action_that_the_state_forbids_is_a_conflict_with_a_fix(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market)
    for action in ("close", "cancel", "retry"):
        answer = client.post(f"/api/v1/submissions/{made.id}/{action}", headers=alice)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), action
        assert "new version" in answer.json()["fix"]
    assert WOKEN == []


@pytest.mark.parametrize("action", ["close", "cancel", "retry"])
def test_only_the_member_may_change_a_submission(
    client: TestClient[Litestar], market: Marketplace, action: str
) -> None:
    made = make_release(market, state="staged")
    path = f"/api/v1/submissions/{made.id}/{action}"
    foreign = basic(add_author(market, member="bella", user="bob"))
    admin = basic(add_author(market, member="centre", user="root", role="admin"))
    scoped = basic(add_author(market, project="acme-other"))
    assert client.post(path).status_code == 401
    assert [client.post(path, headers=each).status_code for each in (foreign, admin, scoped)] == [403, 403, 403]


def test_an_absent_submission_is_404(client: TestClient[Litestar], alice: dict[str, str]) -> None:
    assert client.post("/api/v1/submissions/5/close", headers=alice).status_code == 404


def test_runs_are_public_and_users_are_named_only_to_the_member(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, document=verdict(A01="pass"))
    public = client.get(f"/api/v1/submissions/{made.id}").json()
    own = client.get(f"/api/v1/submissions/{made.id}", headers=alice).json()
    assert public["runs"] == [
        {"id": made.run, "file": made.filename, "state": "done", "outcome": "clean", "seconds": 0.0}
    ]
    assert [step["actor"] for step in public["steps"]] == [None, None, "marketplace"]
    assert [step["actor"] for step in own["steps"]] == ["alice", "alice", "marketplace"]
    assert public["stage_url"] is None
    assert own["stage_url"].endswith(f"/stage/{made.secret}/simple/")
    assert public["position"] is None
