"""Access with each type of token: a table of addresses and expected statuses, on the running server."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from chimes.processes import run
from journeys.marketplace.test_kills import publish_file
from market_factories import COMMAND, Server, add_author, basic, make_market, make_wheel, run_env, serve

pytestmark = pytest.mark.xdist_group("tokens")
STAGED = "acme-tools"
READS = {
    "anonymous": 401,
    "owner": 200,
    "colleague": 200,
    "admin": 200,
    "scoped here": 200,
    "scoped elsewhere": 403,
    "foreign": 403,
    "revoked": 403,
    "expired": 403,
    "unknown": 403,
}
UPLOADS = {**READS, "anonymous": 403, "admin": 403}
REFUSED = {
    "anonymous": "credentials-required",
    **dict.fromkeys(("revoked", "expired", "unknown"), "credentials-refused"),
    **dict.fromkeys(("foreign", "scoped elsewhere", "admin"), "not-yours"),
}
"""The error code for each refused client."""


@dataclass(frozen=True)
class Site:
    """A server with a release that stays staged, and a token of each type."""

    server: Server
    tokens: dict[str, str]
    release: dict[str, Any]

    def ask(self, who: str, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        headers = {"Accept": "application/json"} | (basic(self.tokens[who]) if who != "anonymous" else {})
        url = path if path.startswith("http") else self.server.url + path
        try:
            with urlopen(Request(url, headers=headers, method=method), timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    market = make_market(folder)
    tokens = {
        "owner": add_author(market),
        "colleague": add_author(market, user="bob"),
        "admin": add_author(market, member="centre", user="root", role="admin"),
        "foreign": add_author(market, member="other", user="eve"),
        "scoped here": add_author(market, project="Acme.Tools"),
        "scoped elsewhere": add_author(market, project="acme-other"),
        "revoked": add_author(market),
        "expired": add_author(market, days=1),
        "unknown": "chimes-nothing-that-was-ever-made",
    }
    market.database.close()
    with contextlib.closing(sqlite3.connect(folder / "data" / "marketplace.db")) as database, database:
        database.execute("UPDATE token SET expires_at = '2020-01-01 00:00:00.000000' WHERE expires_at IS NOT NULL")
    with serve(folder, quiet_s=3600) as server:
        run_verb("token", "revoke", "7", folder=folder)
        status, body = publish_file(server.url, tokens["owner"], make_wheel(folder / "dist"))
        assert status == 200, body
        found = Site(server, tokens, {})
        release = json.loads(found.ask("owner", f"/api/v1/projects/{STAGED}/releases/0.1.0")[2])
        yield Site(server, tokens, release)
        stage = release["stage_url"].split("/")[4]
        assert not any(secret in (folder / "serve.log").read_text() for secret in (stage, *tokens.values()))


def run_verb(*arguments: str, folder: Path) -> str:
    done = run([str(COMMAND), *arguments, "--data", str(folder / "data")], env=run_env(), timeout_s=60)
    assert done.returncode == 0, done.text
    return done.stdout.decode()


@pytest.mark.parametrize("who", READS)
def test_an_unlisted_release_is_visible_to_its_member_and_to_admins(site: Site, who: str) -> None:
    id = site.release["submissions"][0]["id"]
    file = site.release["files"][0]
    for path in (
        f"/api/v1/projects/{STAGED}/releases/0.1.0",
        f"/api/v1/submissions/{id}",
        f"/files/{file['sha256']}/{file['filename']}",
        f"/reports/{id}/",
    ):
        status, headers, body = site.ask(who, path)
        assert status == READS[who], (path, body[:300])
        if status >= 400:
            assert json.loads(body)["code"] == REFUSED[who]
        if status == 401:
            assert headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("who", UPLOADS)
def test_a_file_is_accepted_only_from_its_member(site: Site, who: str, tmp_path: Path) -> None:
    # The same file again: accepted from its owner, and nothing changes.
    wheel = make_wheel(tmp_path)
    token = site.tokens.get(who, "")
    status, body = publish_file(site.server.url, token, wheel)
    assert status == UPLOADS[who], body[:300]


@pytest.mark.parametrize("who", ["anonymous", "foreign", "admin", "scoped elsewhere", "revoked", "expired", "unknown"])
@pytest.mark.parametrize("action", ["close", "cancel", "retry"])
def test_a_submission_is_changed_only_by_its_member(site: Site, who: str, action: str) -> None:
    id = site.release["submissions"][0]["id"]
    status, _, body = site.ask(who, f"/api/v1/submissions/{id}/{action}", "POST")
    assert status == (401 if who == "anonymous" else 403), body
    assert json.loads(body)["code"] == REFUSED[who]
    assert json.loads(site.ask("owner", f"/api/v1/submissions/{id}")[2])["state"] == "staged"


def test_a_new_project_is_accepted_unless_the_token_is_for_another_project(site: Site, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "acme-new")
    assert publish_file(site.server.url, site.tokens["scoped elsewhere"], wheel)[0] == 403
    assert publish_file(site.server.url, site.tokens["colleague"], wheel)[0] == 200


@pytest.mark.parametrize("who", READS)
def test_the_simple_index_never_shows_unlisted_projects(site: Site, who: str) -> None:
    status, _, body = site.ask(who, "/simple/")
    assert STAGED.encode() not in body
    assert status in (200, 403)
    assert site.ask(who, f"/simple/{STAGED}/")[0] in (401, 403, 404)


def test_the_stage_url_needs_no_token_and_a_wrong_one_is_404(site: Site) -> None:
    stage = site.release["stage_url"]
    status, _, body = site.ask("anonymous", f"{stage}{STAGED}/")
    assert (status, b"acme_tools-0.1.0-py3-none-any.whl" in body) == (200, True)
    secret = stage.split("/stage/")[1].split("/")[0]
    assert site.ask("anonymous", f"/stage/{secret[:-1]}x/simple/{STAGED}/")[0] == 404


def test_only_the_member_gets_the_stage_url(site: Site) -> None:
    path = f"/api/v1/projects/{STAGED}/releases/0.1.0"
    assert json.loads(site.ask("admin", path)[2])["stage_url"] is None
    assert json.loads(site.ask("colleague", path)[2])["stage_url"]


@pytest.mark.parametrize("who", [who for who in READS if who not in ("owner", "colleague", "scoped here")])
def test_no_response_to_others_contains_the_stage_or_a_token(site: Site, who: str) -> None:
    id, file = site.release["submissions"][0]["id"], site.release["files"][0]
    secrets = [site.release["stage_url"].split("/")[4], *site.tokens.values()]
    for path in (
        *("/", "/simple/", "/plugins/", f"/plugins/{STAGED}/", f"/plugins/{STAGED}/0.1.0/", f"/reports/{id}/"),
        *("/api/v1/projects", f"/api/v1/projects/{STAGED}", f"/api/v1/projects/{STAGED}/releases/0.1.0"),
        *(f"/api/v1/submissions/{id}", f"/files/{file['sha256']}/{file['filename']}.metadata"),
    ):
        status, headers, body = site.ask(who, path)
        assert status < 500, path
        assert not [secret for secret in secrets if secret in body.decode() + str(headers)], path


def test_a_token_works_at_once_and_ends_at_once(site: Site) -> None:
    folder = site.server.data.parent
    token = run_verb("token", "create", "--user", "alice", folder=folder).strip()
    known = Site(site.server, {"new": token}, {})
    path = f"/api/v1/projects/{STAGED}/releases/0.1.0"
    assert known.ask("new", path)[0] == 200
    listed = run_verb("token", "list", "--user", "alice", "--json", folder=folder)
    assert token not in listed
    newest = max(each["id"] for each in json.loads(listed))
    run_verb("token", "revoke", str(newest), folder=folder)
    assert known.ask("new", path)[0] == 403
