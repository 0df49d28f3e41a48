"""Raw bytes that no HTTP library would send: the running server refuses them, never fails, and keeps running."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.request import urlopen

import pytest
from journeys.marketplace.raw_http import Raw, ask, message, refusal_of
from market_factories import Server, add_author, make_market, make_wheel, serve
from release_factories import MadeRelease, make_release, verdict
from uploads import BOUNDARY, body_of, form_of

pytestmark = pytest.mark.xdist_group("raw-requests")
JSON = b"Accept: application/json"
FORM = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY.encode()
HOSTS = (
    *(b"[", b"[::1", b"x][", b"[x]", b"[1.2]", b"a b", b"\xff\xfe", b"http://x", b"x@y", b"x/..//", b"x?y", b""),
    *(b"x:99999999", b"x:70000", b"x:0", b"x:-1", b"x:y", b":", b"\xe2\x84\x80.com", b'"><script>', b"a" * 5000),
)
HEADERS = (
    *(b"Accept: text/html;q=inf", b"Accept: */*;q=-1e999", b"Accept: a;q=nan", b"Accept: ;;;,,,=", b"Accept: \xff"),
    *(b'Accept: a/b;x="', b"Accept: " + b"a/b," * 1000, b"Accept-Language: zh;q=inf,en;q=nan"),
    *(
        b"Accept-Language: \xff",
        b"Accept-Encoding: gzip;q=x",
        b'Cookie: =;=;\xff;a="\\777"',
        b"Cookie: chimes_language",
    ),
    *(b"Range: bytes=-0", b"Range: bytes=9-1", b"Range: bytes=" + b"9" * 5000 + b"-", b"Range: x=\xff"),
    *(b"Range: bytes=0-0,2-3", b"Range: bytes=99999-", b"Range: bytes=\xd9\xa1-", b"If-Range: \xff"),
    *(b"If-None-Match: *", b"If-None-Match: \xff", b"If-Modified-Since: never", b"User-Agent: uv/\xff"),
    *(b"Authorization: \xff", b"Authorization: Basic \xff", b"Authorization: Basic ///", b"Authorization: Basic gICA"),
    *(b"Authorization: Bearer", b"Authorization: Bearer \xff", b"Authorization:   ", b"Authorization: Digest a=b"),
    *(b"Authorization: Bearer a\r\nAuthorization: Bearer b", b"Authorization: Bearer " + b"x" * 20_000),
    b"Authorization: Basic " + base64.b64encode(b"__token__:\xed\xa0\x80"),
    b"Authorization: Basic " + base64.b64encode(b"__token__:\x00"),
    *(b"Content-Type: \xff", b'Content-Type: multipart/form-data; boundary="', b"Content-Type: application/json"),
    *(b"Content-Length: -1", b"Content-Length: x", b"Content-Length: " + b"0" * 5000, b"Content-Length: " + b"9" * 30),
    *(b"Content-Length: 0\r\nContent-Length: 2", b"Transfer-Encoding: x", b"Transfer-Encoding: chunked, chunked"),
    *(
        b"Expect: 100-continue",
        b"Expect: x",
        b"Upgrade: h2c",
        b"X-Forwarded-Proto: \xff",
        b"X: a\x00b",
        b"X : a",
        b": a",
    ),
    *(b"X-Long: " + b"a" * 70_000, b"X-Long: " + b"a" * 2_000_000, b"\r\n".join(b"X-%d: y" % n for n in range(2000))),
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    + base64.b64encode(b"0" * 16),
)
TAILS = (
    *(b"%", b"%zz", b"%00", b"%FF", b"\xff", b"%ED%A0%80", b"%2e%2e%2f", b"..", b"x" * 6000, b"%0d%0aX:%20y", b"a%2Fb"),
    *(b"%F0%9F%92%A9", b"'\"<>", b"9" * 5000, b"-1", b"0", b"%D9%A1", b"1e5", b"1%0a", b"+1", b"1_0", b"%20", b"\x7f"),
)
QUERIES = (
    *(b"lang=\xff", b"lang=%FF", b"q=%00", b"q=%zz", b"a=&" * 3000, b"q=%ED%A0%80", b"v=1&v=2", b"q=" + b"x" * 5000),
    *(b":action=submit", b"=&&&;", b"type=&kind=x", b"q=a\xc3", b"q=&q=", b"lang=zh&lang=\xfe", b"?", b"#"),
)
METHODS = (
    *(b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"X"),
    b"M" * 5000,
)


@dataclass(frozen=True)
class Target:
    """A server with a listed and a staged release, the addresses of all its routes, and a token of the owner."""

    server: Server
    listed: MadeRelease
    staged: MadeRelease
    authorization: bytes

    @property
    def paths(self) -> list[bytes]:
        stage = f"/stage/{self.staged.secret}"
        file = f"/files/{self.listed.sha256}/{self.listed.filename}"
        paths = ["/", "/healthz", "/legacy/", "/legacy", "/simple/", "/simple", "/simple/acme-tools/", file, "/nothing"]
        paths += ["/legacy/+simple/acme-tools/", f"{stage}/simple/", f"{stage}/simple/acme-new/", f"{stage}/report"]
        paths += ["/api/v1/projects", "/api/v1/projects/acme-tools", "/api/v1/projects/acme-tools/releases/1.0"]
        paths += ["/api/v1/submissions/1", "/plugins/", "/plugins/acme-tools/", "/plugins/acme-tools/1.0/"]
        paths += ["/reports/1/", "/reports/1/runs/1/log.txt", "/static/chimes.css", "/schema/openapi.json"]
        return [path.encode() for path in paths]

    @property
    def gaps(self) -> list[tuple[bytes, bytes]]:
        """The text before and after each parameter of a path."""
        stage = f"/stage/{self.staged.secret}"
        pairs = [
            ("/simple/", "/"),
            ("/legacy/+simple/", "/"),
            ("/files/", "/x.whl"),
            (f"/files/{self.listed.sha256}/", ""),
        ]
        pairs += [("/stage/", "/simple/"), (f"{stage}/simple/", "/"), (f"{stage}/files/", "/x"), ("/stage/", "/report")]
        pairs += [(f"{stage}/report/runs/", "/log.txt"), ("/api/v1/projects/", ""), ("/api/v1/submissions/", "")]
        pairs += [("/api/v1/projects/acme-tools/releases/", ""), ("/plugins/", "/"), ("/plugins/acme-tools/", "/")]
        pairs += [
            ("/reports/", "/"),
            ("/reports/1/runs/", "/log.txt"),
            ("/reports/1/runs/1/", ""),
            ("/static/", ""),
            ("/", ""),
        ]
        return [(before.encode(), after.encode()) for before, after in pairs]

    def ask(self, data: bytes, *, is_cut: bool = False) -> Raw:
        return ask(self.server.url, data, is_cut=is_cut)

    def ask_all(self, requests: Sequence[bytes]) -> list[Raw]:
        """Send the requests concurrently; each gets a response below 500, or its connection is closed."""
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(self.ask, requests))
        for request, answer in zip(requests, answers, strict=True):
            assert answer.status < 500, (request[:300], answer)
            assert b"Traceback" not in answer.body
            # The web server itself refuses bytes that are not HTTP, with an empty body.
            if answer.status >= 400 and answer.body and JSON in request:
                refusal_of(answer.headers["content-type"], answer.body)
        return answers


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("target")
    market = make_market(folder)
    token = add_author(market)
    listed = make_release(market, document=verdict(A01="pass"), log="said")
    staged = make_release(market, "acme-new", state="staged")
    market.database.close()
    with serve(folder, quiet_s=3600) as server:
        yield Target(server, listed, staged, b"Authorization: Bearer " + token.encode())
        log = (folder / "serve.log").read_text("utf-8", "replace")
        assert "Traceback" not in log, log[-5000:]


@pytest.fixture(autouse=True)
def alive(target: Target) -> Iterator[None]:
    """After each test the server answers."""
    yield
    with urlopen(f"{target.server.url}/healthz", timeout=30) as answer:
        assert json.load(answer) == {"status": "ok"}


def test_no_host_causes_a_server_error_or_is_in_a_page(target: Target) -> None:
    answers = target.ask_all([message(path, JSON, host=host) for path in target.paths for host in HOSTS])
    assert not [answer for answer in answers if b"<script" in answer.body]
    wrong = [b"/reports/0/", b"/api/v1/submissions/0", b"/api/v1/projects?q=" + b"x" * 201, b"/plugins/?type=zzz"]
    refused = target.ask_all([message(path, JSON, host=host) for path in wrong for host in HOSTS])
    assert {answer.status for answer in refused} == {400}
    (moved,) = target.ask_all([message(b"/simple/acme-tools", host=None, version=b"1.0")])
    assert (moved.status, moved.headers["location"]) == (301, f"{target.server.url}/simple/acme-tools/")
    (whole,) = target.ask_all([message(b"http://chimes.example/simple/")])
    assert whole.status == 200
    target.ask_all([message(path, host=None, version=b"1.0") for path in target.paths])


def test_no_header_causes_a_server_error(target: Target) -> None:
    target.ask_all([message(path, JSON, header) for path in target.paths for header in HEADERS])


def test_no_path_causes_a_server_error(target: Target) -> None:
    paths = [before + tail + after for before, after in target.gaps for tail in TAILS]
    for headers in ((), (JSON,), (b"Accept: text/html",), (JSON, target.authorization)):
        target.ask_all([message(path, *headers) for path in paths])


def test_no_query_causes_a_server_error(target: Target) -> None:
    target.ask_all([message(path + b"?" + query, JSON) for path in target.paths for query in QUERIES])


def test_no_method_causes_a_server_error(target: Target) -> None:
    requests = [message(path, JSON, target.authorization, method=method) for path in target.paths for method in METHODS]
    for request, answer in zip(requests, target.ask_all(requests), strict=True):
        if request.startswith(b"HEAD"):
            assert answer.body == b""
        if answer.status == 405 and not request.startswith(b"HEAD"):
            assert answer.headers["allow"]


def test_bytes_that_are_not_http_are_refused(target: Target) -> None:
    sent = [
        b"\x00\xff\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\r\n" * 100 + b"x\r\n",
    ]
    sent += [message(b"http://[/"), message(b"http://evil/simple/"), message(b"*", method=b"OPTIONS"), message(b"")]
    sent += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    for data in sent:
        assert target.ask(data, is_cut=True).status < 500
    target.ask_all([message(b"http://evil/simple/"), message(b"*", method=b"OPTIONS")])


def form(target: Target, body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    size = b"Content-Length: %d" % (len(body) if length is None else length)
    return message(b"/legacy/", JSON, target.authorization, size, *headers, method=b"POST", body=body)


def test_malformed_forms_are_refused_with_a_reason(target: Target) -> None:
    line = b"--" + BOUNDARY.encode()
    said = b'Content-Disposition: form-data; name="'
    bodies = [
        *(b"", b"x", line, line + b"--", line + b"\r\n\r\n", line + b"\r\n" + b"A: b\r\n" * 5000, b"\r\n" * 10_000),
        line + b"\r\n" + said + b'a"\r\n\r\nnever ended',
        line + b"\r\n" + said + b'a\xff"\r\n\r\nx\r\n' + line + b"--\r\n",
        line + b"\r\n" + said + b'name"\r\n\r\n\xff\xfe\r\n' + line + b"--\r\n",
        line + b"\r\n" + said + b'content"; filename="\x00\xff/../x"\r\n\r\nx\r\n' + line + b"--\r\n",
        line + b"\r\n" + said + b"a" * 100_000 + b'"\r\n\r\nx\r\n' + line + b"--\r\n",
        (line + b"\r\n" + said + b'a"\r\n\r\n\r\n') * 20_000 + line + b"--\r\n",
        (line + b"\r\n" + said + b'a"\r\n\r\n' + b"x" * 2_000_000 + b"\r\n") + line + b"--\r\n",
        b"preamble\r\n" + line + b"\r\nContent-Disposition: attachment\r\n\r\nx\r\n" + line + b"--\r\n",
        line + b"\r\nContent-Transfer-Encoding: base64\r\n" + said + b'name"\r\n\r\n=\r\n' + line + b"--\r\n",
        line + b"\r\nContent-Type: multipart/mixed; boundary=y\r\n" + said + b'a"\r\n\r\n--y--\r\n' + line + b"--\r\n",
        line
        + b"\r\n"
        + b"Content-Disposition: form-data; name=a; filename*=utf-9''%ff\r\n\r\nx\r\n"
        + line
        + b"--\r\n",
    ]
    for answer in target.ask_all([form(target, body, FORM) for body in bodies]):
        assert (answer.status, refusal_of(answer.headers["content-type"], answer.body)["code"]) == (400, "bad-form")
    kinds = (
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"text/plain",
        b"multipart/form-data; boundary=\xff",
    )
    for kind in (
        *kinds,
        b"multipart/mixed; boundary=x",
        b'multipart/form-data; boundary="' + b"x" * 5000,
        b";",
        b"\x01",
    ):
        (answer,) = target.ask_all([form(target, b"x", b"Content-Type: " + kind)])
        assert answer.status == 400


def test_wrong_lengths_store_nothing(target: Target) -> None:
    wheel = make_wheel(target.server.data.parent / "dist", "acme-short")
    body = body_of(form_of(wheel), wheel.name, wheel.read_bytes())
    # A body shorter than its length: the server would wait for the rest.
    assert target.ask(form(target, body, FORM, length=len(body) + 1), is_cut=True).status < 500
    assert target.ask(form(target, body, FORM, length=1 << 40), is_cut=True).status in (0, 413)
    # A longer body: the bytes after its length do not belong to it.
    assert target.ask(form(target, body, FORM, length=len(body) // 2)).status == 400
    chunked = b"Transfer-Encoding: chunked"
    for chunk in (
        b"zz\r\n",
        b"5\r\nabc",
        b"fffffffffffffffffffff\r\n",
        b"-1\r\n\r\n",
        b"0\r\n\r\n",
        b"1\r\nx\r\n0\r\n\r\n",
    ):
        data = message(b"/legacy/", JSON, target.authorization, FORM, chunked, method=b"POST", body=chunk)
        assert target.ask(data, is_cut=chunk not in (b"0\r\n\r\n", b"1\r\nx\r\n0\r\n\r\n")).status < 500
    both = message(
        b"/legacy/", FORM, chunked, b"Content-Length: 3", method=b"POST", body=b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    )
    assert target.ask(both, is_cut=True).status < 500
    (page,) = target.ask_all([message(b"/api/v1/projects/acme-short", JSON, target.authorization)])
    assert page.status == 404


def test_unexpected_bodies_are_ignored(target: Target) -> None:
    deep = [b"[" * 200_000, b'{"a":' * 100_000, b"\xff" * 1000, b"null", b"1e999999", b"x" * (3 << 20)]
    paths = [b"/api/v1/submissions/1/close", b"/api/v1/submissions/1/retry", b"/api/v1/projects", b"/plugins/?q=x"]
    requests = [
        message(path, JSON, target.authorization, kind, b"Content-Length: %d" % len(body), method=method, body=body)
        for path in paths
        for body in deep
        for method in (b"GET", b"POST")
        for kind in (b"Content-Type: application/json", FORM, b"Content-Type: application/x-www-form-urlencoded")
    ]
    target.ask_all(requests)


def test_many_requests_at_once_are_all_answered(target: Target) -> None:
    requests = [message(path, JSON) for path in target.paths] * 20
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(target.ask, requests))
    assert {answer.status for answer in answers} <= {200, 301, 308, 404, 405}
