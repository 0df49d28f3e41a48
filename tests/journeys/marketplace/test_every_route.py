"""Requests with generated, real and hostile values to every documented route of the running server: never a 5xx."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from chimes_marketplace.app import create_app
from chimes_marketplace.web.state import Marketplace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from journeys.marketplace.raw_http import refusal_of
from market_factories import Server, add_author, basic, make_market, make_wheel, serve
from release_factories import make_release, verdict
from uploads import BOUNDARY, body_of, form_of

pytestmark = pytest.mark.xdist_group("every-route")
BOUNDED = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
HOSTILE = (
    *("..", "%", "%00", "\x00", "%2F", "a/b", "\\", "'\"<>&", "{{7*7}}", "\r\nX: y", "💩", "a\u202eb", " ", "\ud800"),
    *("0", "-1", "1e5", "+1", "1_0", "٣", "9" * 30, "9" * 5000, "nan", "x" * 200, "x" * 6000, "a" * 64, "0" * 64),
    *("1.0", "v1!0.0", "acme..tools", "ACME_tools", "x.metadata", ".metadata", "verdict.json", "con", "__token__"),
)
ACCEPTS = ("application/json", "text/html", "text/plain", "*/*", "application/vnd.pypi.simple.v1+json", "", ";q=inf")
FOREIGN = "umbra"
STATES = ("staged", "held", "cancelled", "infra")
"""A member that owns none of these submissions: those that it closed or retried would be validated."""


@dataclass(frozen=True)
class Site:
    """A server with a submission in every state. ``real``: values of path parameters that exist."""

    server: Server
    market: Marketplace
    real: Mapping[str, list[str]]
    credentials: Mapping[str, dict[str, str]]

    def headers(self, who: str, accept: str) -> dict[str, str]:
        return {"Accept": accept, **self.credentials[who]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    market = make_market(folder)
    credentials = {
        "anonymous": {},
        "owner": basic(add_author(market)),
        "admin": basic(add_author(market, "centre", "root", "admin")),
        "foreign": basic(add_author(market, FOREIGN, "eve")),
        "broken": {"Authorization": "Basic gICA"},
        "unknown": {"Authorization": "Bearer chimes-nothing"},
        "empty": {"Authorization": "Bearer"},
    }
    document = verdict(A01="pass", A07="fail")
    made = [
        make_release(market, "acme-tools", "1.0", document=document, log="<b>hello</b>"),
        make_release(market, "acme-tools", "2.0", state="rejected", document=document),
        *(
            make_release(market, f"umbra-{state}", "1.0", user="eve", state=state, document=document)
            for state in STATES
        ),
    ]
    real = {
        "id": [str(each.id) for each in made],
        "run": [str(each.run) for each in made],
        "secret": [each.secret for each in made],
        "sha256": [each.sha256 for each in made],
        "filename": [each.filename for each in made],
        "name": ["acme-tools", "Acme.Tools", *(f"umbra-{state}" for state in STATES), "chimes.css"],
        "version": ["1.0", "2.0", "v1.0.0"],
        "document": ["verdict.json", "run.json", "pylock.toml", "log.txt", "nonce.txt"],
    }
    with serve(folder, quiet_s=3600) as server:
        yield Site(server, market, real, credentials)
        log = (folder / "serve.log").read_text("utf-8", "replace")
        assert "Traceback" not in log, log[-5000:]
        assert "ERROR" not in log, log[-5000:]
    market.database.close()


def check(answer: Any, accept: str) -> None:
    """Check that the server did not fail, shows no internals, and refuses programs with problem details."""
    text: bytes = answer.content
    assert answer.status_code < 500, (answer.request.url, text[:300])
    assert b"Traceback" not in text
    assert b'File "/' not in text
    if answer.status_code >= 400 and accept == "application/json" and answer.request.method != "HEAD":
        said = answer.headers["content-type"]
        # The generator's responses have a list for each header.
        refusal_of(said if isinstance(said, str) else said[0], text)


def values_of(site: Site, name: str, generated: Any) -> st.SearchStrategy[str]:
    real = st.sampled_from(site.real[name])
    return st.one_of(real, real, real, st.sampled_from(HOSTILE), st.just(str(generated)))


def test_every_route_is_documented(site: Site) -> None:
    documented = set(requests.get(f"{site.server.url}/schema/openapi.json", timeout=30).json()["paths"])
    served = {
        "/".join(f"{{{part.name}}}" if hasattr(part, "name") else part for part in ("", *route.path_components)) or "/"
        for route in create_app(site.market).routes
        if not route.path.startswith("/schema")
    }
    assert served == {path.rstrip("/") or "/" for path in documented}
    wanted = ("/legacy", "/simple", "/files/", "/stage/", "/api/v1/", "/plugins", "/reports/", "/static/", "/healthz")
    for start in wanted:
        assert any(path.startswith(start) for path in served), start


def test_no_generated_request_causes_a_server_error(site: Site) -> None:
    document: Any = schemathesis.openapi.from_url(f"{site.server.url}/schema/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        fuzz(site, operation, schemathesis.GenerationMode.POSITIVE)
        # If every value is valid, no invalid one can be generated.
        with contextlib.suppress(Unsatisfiable):
            fuzz(site, operation, schemathesis.GenerationMode.NEGATIVE)


def fuzz(site: Site, operation: Any, mode: schemathesis.GenerationMode) -> None:
    @settings(BOUNDED, max_examples=40 if mode is schemathesis.GenerationMode.POSITIVE else 15)
    @given(case=operation.as_strategy(mode), data=st.data())
    def asked(case: Any, data: st.DataObject) -> None:
        for name, generated in (case.path_parameters or {}).items():
            value = data.draw(values_of(site, name, generated), name)
            case.path_parameters[name] = value.encode("utf-8", "replace").decode()
        movers = [who for who in site.credentials if case.method != "POST" or who != "foreign"]
        who, accept = data.draw(st.sampled_from(movers)), data.draw(st.sampled_from(ACCEPTS))
        check(case.call(headers=site.headers(who, accept), allow_redirects=False), accept)

    asked()


FIELDS = ("name", "version", "filetype", "metadata_version", ":action", "md5_digest", "requires_dist", "content", "x")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("dist"))


def post(site: Site, body: bytes, boundary: str = BOUNDARY) -> requests.Response:
    headers = {
        **site.headers("owner", "application/json"),
        "Content-Type": f"multipart/form-data; boundary={boundary}",
    }
    return requests.post(f"{site.server.url}/legacy/", data=body, headers=headers, timeout=30)


@BOUNDED
@given(
    change=st.dictionaries(
        st.sampled_from(FIELDS), st.one_of(st.sampled_from(HOSTILE), st.text(max_size=50), st.binary(max_size=50))
    ),
    filename=st.one_of(st.none(), st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), max_size=300)),
    data=st.one_of(st.none(), st.binary(max_size=200)),
)
def test_no_generated_form_causes_a_server_error(
    site: Site, wheel: Path, change: dict[str, str | bytes], filename: str | None, data: bytes | None
) -> None:
    fields: dict[str, str | bytes] = {**dict(form_of(wheel)), **change}
    sent = [
        (name, value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        for name, value in fields.items()
    ]
    name = wheel.name if filename is None else filename.encode("utf-8", "replace").decode()
    check(post(site, body_of(sent, name, wheel.read_bytes() if data is None else data)), "application/json")


@BOUNDED
@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.binary(max_size=20)), min_size=1, max_size=5),
    boundary=st.sampled_from((BOUNDARY, BOUNDARY, BOUNDARY, "x", '"', "", "a" * 300, "\xff")),
)
def test_no_damaged_form_causes_a_server_error(
    site: Site, wheel: Path, edits: list[tuple[float, int, bytes]], boundary: str
) -> None:
    # The structure is at the beginning of the body, so most edits are made there.
    body = body_of(form_of(wheel), wheel.name, wheel.read_bytes())
    for place, gone, new in edits:
        start = int(place * place * len(body))
        body = body[:start] + new + body[start + gone :]
    check(post(site, body, boundary), "application/json")


def test_earlier_content_is_unchanged(site: Site) -> None:
    page = f"{site.server.url}/simple/acme-tools/"
    found = requests.get(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=30)
    assert [file["hashes"]["sha256"] for file in json.loads(found.content)["files"]] == [site.real["sha256"][0]]
    assert requests.get(f"{site.server.url}/healthz", timeout=30).json() == {"status": "ok"}
