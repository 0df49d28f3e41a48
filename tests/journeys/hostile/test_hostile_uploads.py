"""Hostile plugins and libraries, uploaded to the real server: each is named, nothing runs outside the sandbox.

Whether two runs of one file give the same bytes is asked of ``chimes check`` itself; here every attack of both tables
stands in one queue, and it is the service that must go on.
"""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chimes.conformance.gate.mutants import strict_wheel
from chimes.environments.wheelfile import write_wheel
from chimes_marketplace.lanes.documents import read_verdict
from chimes_marketplace.lanes.runs import list_runs
from chimes_marketplace.web.state import Marketplace
from journeys.hostile.hostile_host import RULES, wait_until_gone
from journeys.hostile.hostile_libraries import HOSTILE_LIBRARIES, HostileLibrary, pack_library
from journeys.hostile.hostile_plugins import SECRET, Hostile, pack, renamed
from journeys.hostile.hostile_table import HOSTILES
from market_factories import Server, add_author, basic, make_market, serve
from uploads import BOUNDARY, body_of, form_of

SETTLE_S = 1500.0
UNDECIDED = ("staged", "validating")
Bad = Hostile | HostileLibrary
BADS: tuple[Bad, ...] = (*HOSTILES, *HOSTILE_LIBRARIES)


@dataclass(frozen=True)
class Verdict:
    """The outcome of an uploaded file. ``causes``: code to cause of the checks that it failed in the sandbox."""

    state: str
    findings: list[dict[str, Any]]
    causes: Mapping[str, str | None]


@dataclass(frozen=True)
class Site:
    """A served marketplace, its database beside it, and who uploads."""

    server: Server
    market: Marketplace
    token: str

    def upload(self, wheel: Path) -> tuple[int, dict[str, Any]]:
        """One file with the form that twine sends; the status and what was answered."""
        request = urllib.request.Request(
            f"{self.server.url}/legacy/",
            data=body_of(form_of(wheel), wheel.name, wheel.read_bytes()),
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **self.headers},
        )
        return answer_to(request)

    def get(self, path: str) -> dict[str, Any]:
        """What is there for who uploads."""
        status, said = answer_to(urllib.request.Request(self.server.url + path, headers=self.headers))
        assert status == 200, said
        return said

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": "application/json, application/vnd.pypi.simple.v1+json", **basic(self.token)}

    def settle(self, ids: Mapping[str, int]) -> dict[str, dict[str, Any]]:
        """The submissions once all are decided; fails if one never is."""
        ends, decided = time.monotonic() + SETTLE_S, dict[str, dict[str, Any]]()
        for name, id in ids.items():
            while (answer := self.get(f"/api/v1/submissions/{id}"))["state"] in UNDECIDED:
                assert time.monotonic() < ends, f"stuck: {name} is {answer['state']}"
                time.sleep(0.5)
            decided[name] = answer
        return decided

    def verdict_on(self, name: str, submission: dict[str, Any]) -> Verdict:
        """The verdict on a decided submission, as its author sees it."""
        release = self.get(f"/api/v1/projects/{name}/releases/{submission['version']}")
        return Verdict(release["state"], release["findings"], self.causes(submission["id"]))

    def causes(self, submission: int) -> dict[str, str | None]:
        """Code to cause of every check that the file failed, from the verdict document that the run left."""
        with self.market.database.reading() as session:
            verdict = read_verdict(self.market.blobs, list_runs(session, submission_id=submission)[-1])
        assert verdict is not None
        return {each.code: each.cause or "" for each in verdict.results if each.verdict == "fail"}


def answer_to(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def packed(hostile: Bad, folder: Path, marker: Path, name: str) -> Path:
    if isinstance(hostile, HostileLibrary):
        return renamed(pack_library(hostile, folder / name, marker), folder, name)
    return renamed(pack(hostile, folder / name, marker), folder, name)


def is_refused(hostile: Bad) -> bool:
    """Whether a check of the file alone finds it out, so that it is not even taken, nor run."""
    return any(code[0] == "A" for code in hostile.fails)


def differences(hostile: Bad, verdict: Verdict) -> list[str]:
    """In what the verdict on a hostile file is another one than the table says."""
    found = []
    refused = is_refused(hostile)
    fails = {code for code in hostile.fails if not refused or code[0] == "A"}
    wanted = "refused" if refused else "rejected"
    if verdict.state != wanted:
        found.append(f"it is {verdict.state}, not {wanted}")
    codes = {finding["code"] for finding in verdict.findings if finding["severity"] == "error"}
    if missing := fails - codes:
        found.append(f"{sorted(missing)} are not among its errors {sorted(codes)}")
    if refused:
        return found
    if (causes := {verdict.causes.get(code) for code in fails}) != {hostile.cause}:
        found.append(f"the cause is {causes}, not {hostile.cause}")
    messages = [finding["message"] for finding in verdict.findings]
    if not any(hostile.message in message for message in messages):
        found.append(f"nothing says {hostile.message!r}: {messages}")
    return found


def assert_unharmed(site: Site, host: Path) -> None:
    """Nothing of what ran is left: no file on the host, no secret in what is kept, no process but the server."""
    data = site.server.data
    assert site.get("/healthz") == {"status": "ok"}
    assert list(host.iterdir()) == []
    assert list((data / "runs").iterdir()) == []
    files = [path for path in data.parent.rglob("*") if path.is_file() and not path.is_relative_to(data / "cache")]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert b"Traceback" not in (data.parent / "serve.log").read_bytes()
    wait_until_gone(data.parent.name, but=[site.server.process.pid])


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host that every user may write to, if it can be reached."""
    folder = tmp_path / "host"
    folder.mkdir()
    for path in (tmp_path, folder):
        path.chmod(0o777)
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with small rules and a secret in its environment; when it has ended, nothing goes on."""
    place = tmp_path / f"market-{secrets.token_hex(8)}"
    market = make_market(place)
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    monkeypatch.setenv("HOST_SECRET", SECRET)
    with serve(place, rules=rules, slots=2, quiet_s=0.5) as server:
        yield Site(server, market, add_author(market))
    wait_until_gone(place.name)


def test_every_hostile_upload_is_named_and_the_server_goes_on(site: Site, host: Path, tmp_path: Path) -> None:
    hostiles = {f"hostile-{number}": each for number, each in enumerate(BADS)}
    wheels = {name: packed(each, tmp_path / "wheels", host / "marker", name) for name, each in hostiles.items()}
    sound = renamed(strict_wheel("connector", tmp_path / "plain"), tmp_path / "wheels", "well-behaved")
    ids, verdicts = {}, dict[str, Verdict]()
    for number, (name, wheel) in enumerate(wheels.items()):
        if number == len(wheels) // 2:
            ids["well-behaved"] = site.upload(sound)[1]["submission"]
        status, body = site.upload(wheel)
        if is_refused(hostiles[name]):
            verdicts[name] = Verdict("refused" if status == 400 else str(status), body["findings"], {})
        else:
            assert status == 200, body
            ids[name] = body["submission"]
    decided = site.settle(ids)
    assert decided.pop("well-behaved")["state"] == "listed"
    verdicts |= {name: site.verdict_on(name, submission) for name, submission in decided.items()}
    wrong = {f"{name}, {each}": differences(each, verdicts[name]) for name, each in hostiles.items()}
    assert {name: found for name, found in wrong.items() if found} == {}
    assert [each["name"] for each in site.get("/simple/")["projects"]] == ["well-behaved"]
    assert_unharmed(site, host)


def test_an_archive_that_would_write_outside_is_refused_and_writes_nothing(
    site: Site, host: Path, tmp_path: Path
) -> None:
    member = "../" * 20 + str(host / "marker").lstrip("/")
    wheel = write_wheel(tmp_path / "wheels", name="hostile-archive", version="1.0", files={member: b""})
    status, body = site.upload(wheel)
    assert (status, body["code"]) == (400, "checks-failed")
    assert "A01" in {finding["code"] for finding in body["findings"]}
    assert not (host / "marker").exists()
