"""The validation report: access to it, and its content."""

from __future__ import annotations

import json

import pytest
from chimes_marketplace.web.state import Marketplace
from litestar import Litestar
from litestar.testing import TestClient
from market_factories import add_author, basic
from release_factories import FINDING, make_release, verdict

HOSTILE = "</pre><script>alert(1)</script>\x1b[2J"


def test_the_report_of_a_listed_release_is_public(client: TestClient[Litestar], market: Marketplace) -> None:
    made = make_release(market, document=verdict(A01="pass", A05="warn", S08="not_run"))
    answer = client.get(f"/reports/{made.id}/")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    for text in ("Listed: the release was run", "A01", "pass", "warning", "not run", "acme-tools:answer", "cpu-local"):
        assert text in answer.text, text
    assert f"chimes check --sandbox {made.filename}" in answer.text
    assert "Is the archive safe to unpack" in answer.text
    assert "alice" not in answer.text


def test_the_report_of_an_unlisted_release_needs_a_token_or_the_stage_address(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, state="rejected", findings=[FINDING], document=verdict(A07="fail"))
    path = f"/reports/{made.id}/"
    assert client.get(path).status_code == 401
    assert client.get(path, headers=basic(add_author(market, member="bella", user="bob"))).status_code == 403
    for answer in (client.get(path, headers=alice), client.get(f"/stage/{made.secret}/report")):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-store"
        assert "Not listed: findings block the listing." in answer.text
        for key in ("code", "message", "fix", "where"):
            assert FINDING[key].replace("'", "&#39;") in answer.text
    assert client.get("/stage/nothing/report").status_code == 404
    assert client.get("/reports/77/").status_code == 404


@pytest.mark.parametrize(
    ("state", "sentence", "help"),
    [
        ("staged", "The upload is open", "/api/v1/submissions/1/close"),
        ("validating", "no verdict yet", "chimes cancel 1"),
        ("held", "an administrator decides", "chimes cancel 1"),
        ("cancelled", "Cancelled before", "chimes retry 1"),
        ("infra", "the marketplace failed", "chimes retry 1"),
    ],
)
def test_every_state_says_what_to_do_next(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str], state: str, sentence: str, help: str
) -> None:
    make_release(market, state=state)
    text = client.get("/reports/1/", headers=alice).text
    assert sentence in text
    assert help in text


def test_findings_with_one_cause_are_shown_once(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    places = [{**FINDING, "where": f"case {number}"} for number in range(20)]
    make_release(market, state="rejected", findings=[*places, {**FINDING, "code": "A08", "where": None}])
    text = client.get("/reports/1/", headers=alice).text
    assert text.count(FINDING["fix"]) == 1
    assert "case 0" in text
    assert "and 8 more" in text
    assert "A08" in text


def test_hostile_text_of_a_plugin_never_becomes_markup(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    finding = {**FINDING, "message": HOSTILE, "fix": HOSTILE, "where": HOSTILE, "said": HOSTILE, "code": HOSTILE}
    document = verdict(**{HOSTILE: HOSTILE}) | {"lock": [f"{HOSTILE} 1 2"], "sdk": HOSTILE, "rules": {"name": HOSTILE}}
    document["components"][0] |= {"kind": HOSTILE, "name": HOSTILE}
    make_release(market, state="rejected", findings=[finding], document=document, log=f"one\n{HOSTILE}\n" * 3000)
    answer = client.get("/reports/1/", headers=alice)
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "\x1b" not in answer.text
    assert len(answer.text) < 200_000


@pytest.mark.parametrize("document", [[], {}, {"checks": 1, "components": [1, {}]}, {"checks": [{}], "lock": {}}])
def test_an_invalid_document_does_not_break_the_page(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str], document: dict[str, object]
) -> None:
    make_release(market, state="infra", document=document)
    assert client.get("/reports/1/", headers=alice).status_code == 200


def test_documents_are_those_of_the_run(client: TestClient[Litestar], market: Marketplace) -> None:
    document = verdict(A01="pass")
    made = make_release(market, document=document, log="done\n")
    base = f"/reports/{made.id}/runs/{made.run}"
    answer = client.get(f"{base}/verdict.json")
    assert json.loads(answer.content) == document
    assert answer.headers["content-type"].startswith("application/json")
    assert client.get(f"{base}/log.txt").text == "done\n"
    assert len(client.get(f"{base}/nonce.txt").text) == 64
    assert client.get(f"{base}/run.json").status_code == 404
    assert client.get(f"{base}/passwords").status_code == 404
    assert client.get(f"/reports/{made.id}/runs/99/verdict.json").status_code == 404


def test_documents_of_an_unlisted_release_are_not_public(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    made = make_release(market, state="validating", document=verdict(A01="pass"))
    path = f"runs/{made.run}/verdict.json"
    assert client.get(f"/reports/1/{path}").status_code == 401
    assert client.get(f"/reports/1/{path}", headers=alice).status_code == 200
    assert client.get(f"/stage/{made.secret}/report/{path}").status_code == 200
    nonce = f"/stage/{made.secret}/report/runs/{made.run}/nonce.txt"
    assert client.get(nonce).status_code == 404, "the nonce stays secret until there is a verdict"
