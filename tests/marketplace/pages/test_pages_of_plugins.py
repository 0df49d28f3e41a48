"""The front page, the list, and the page of a plugin."""

from __future__ import annotations

from chimes_marketplace.web.state import Marketplace
from litestar import Litestar
from litestar.testing import TestClient
from market_factories import add_author, basic
from release_factories import make_release

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_an_empty_marketplace_has_a_front_page(client: TestClient[Litestar]) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "编钟" in answer.text
    assert "Nothing is listed yet" in answer.text


def test_the_front_page_counts_and_shows_listed_projects(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market)
    make_release(market, "acme-secret", state="held")
    text = client.get("/").text
    assert 'href="/plugins/acme-tools/"' in text
    assert "acme-secret" not in text
    assert "pip install --no-deps --index-url http://chimes.example/simple/ NAME" in text
    assert "--extra-index-url" not in text


def test_the_list_can_be_searched_and_filtered(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market)
    make_release(market, "acme-store", kind="connector")
    make_release(market, "acme-shared", kind="library")

    def found(query: str) -> set[str]:
        text = client.get(f"/plugins/{query}").text
        return {name for name in ("acme-tools", "acme-store", "acme-shared") if f'href="/plugins/{name}/"' in text}

    assert found("") == {"acme-tools", "acme-store", "acme-shared"}
    assert found("?q=STORE") == {"acme-store"}
    assert found("?type=library") == {"acme-shared"}
    assert found("?kind=model") == {"acme-tools"}
    assert found("?kind=model&q=store") == set()
    assert "Try fewer or different words" in client.get("/plugins/?q=nothing").text
    assert client.get("/plugins/?type=other").status_code == 400
    assert client.get(f"/plugins/?q={'a' * 300}").status_code == 400


def test_a_plugin_page_shows_install_commands_files_and_facts(
    client: TestClient[Litestar], market: Marketplace
) -> None:
    made = make_release(
        market,
        about={
            "requires_dist": ["numpy>=2", "acme-shared>=1", "pytest; extra == 'test'"],
            "license_expression": "Apache-2.0",
            "requires_python": ">=3.11",
            "project_urls": {"Source": "https://example.org/source", "Bad": "javascript:alert(1)"},
        },
    )
    make_release(market, "acme-shared", version="1.2", kind="library", about={"requires_dist": ["httpx[http2]"]})
    text = client.get("/plugins/Acme_Tools/").text
    assert "pip install &#39;httpx[http2]&#39; &#39;numpy&gt;=2&#39;" in text
    line = "--no-deps --index-url http://chimes.example/simple/ acme-tools==1.0 &#39;acme-shared&gt;=1&#39;"
    assert f"pip install {line}" in text
    assert "--default-index http://chimes.example/simple/" in text
    assert "--extra-index-url" not in text
    assert made.sha256 in text
    assert "12.3 kB" in text
    assert "Apache-2.0" in text
    assert 'href="https://example.org/source"' in text
    assert "javascript:" not in text
    assert f'href="/reports/{made.id}/"' in text


def test_the_newest_listed_version_is_shown_and_each_version_has_a_page(
    client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]
) -> None:
    make_release(market)
    make_release(market, version="1.1")
    make_release(market, version="2.0", state="rejected")
    assert "acme-tools==1.1" in client.get("/plugins/acme-tools/").text
    assert "acme-tools==1.0" in client.get("/plugins/acme-tools/1.0/").text
    assert "2.0" not in client.get("/plugins/acme-tools/").text.split('id="versions"')[1]
    assert client.get("/plugins/acme-tools/2.0/").status_code == 401
    assert client.get("/plugins/acme-tools/3.0/").status_code == 404
    own = client.get("/plugins/acme-tools/2.0/", headers=alice)
    assert "This version is not listed" in own.text
    assert own.headers["cache-control"] == "private, no-store"
    assert "pip install" not in own.text


def test_a_project_without_a_listed_release_needs_a_token(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market, state="rejected")
    answer = client.get("/plugins/acme-tools/")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "This is not listed" in answer.text
    foreign = basic(add_author(market, member="bella", user="bob"))
    assert client.get("/plugins/acme-tools/", headers=foreign).status_code == 403
    assert client.get("/plugins/nothing/").status_code == 404


def test_hostile_metadata_never_becomes_markup(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(
        market,
        about={
            "summary": HOSTILE,
            "description": f"# Title\n\n{HOSTILE}\n",
            "description_content_type": "text/markdown",
            "license": HOSTILE,
            "requires_python": HOSTILE,
            "requires_dist": [HOSTILE],
            "project_urls": {HOSTILE: f"https://example.org/{HOSTILE}"},
        },
    )
    for path in ("/", "/plugins/", "/plugins/acme-tools/", f"/plugins/?q={HOSTILE}"):
        text = client.get(path).text
        assert "<script" not in text, path
        assert "<img src=x" not in text, path
        assert "onerror=alert(1)&gt;" in text or "onerror" not in text, path


def test_a_public_page_is_revalidated(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market)
    first = client.get("/plugins/acme-tools/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/plugins/acme-tools/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    make_release(market, version="1.1")
    assert client.get("/plugins/acme-tools/", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_pages_have_no_script_and_load_nothing_from_other_sites(
    client: TestClient[Litestar], market: Marketplace
) -> None:
    make_release(market)
    for path in ("/", "/plugins/", "/plugins/acme-tools/", "/nothing", "/plugins/nothing/"):
        answer = client.get(path)
        policies = answer.headers.get_list("content-security-policy")
        assert policies, path
        assert all("script-src 'unsafe" not in policy for policy in policies), path
        assert "<script" not in answer.text
        assert "<style" not in answer.text
        assert ' style="' not in answer.text


def test_static_files_are_cached_forever_under_their_digest(client: TestClient[Litestar]) -> None:
    address = next(part for part in client.get("/").text.split('"') if part.startswith("/static/chimes.css"))
    answer = client.get(address)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    plain = client.get("/static/chimes.css")
    assert plain.headers["cache-control"] == "no-cache"
    again = client.get("/static/chimes.css", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304
    assert client.get("/static/none.css").status_code == 404
    assert client.get("/static/..%2f..%2fapp.py").status_code == 404


def test_a_summary_cannot_reverse_the_text_around_it(client: TestClient[Litestar], market: Marketplace) -> None:
    make_release(market, about={"summary": "safe \u202eevil"})
    for page in ("/", "/plugins/", "/plugins/acme-tools/"):
        text = client.get(page).text
        assert "\u202e" not in text
        assert r"safe \u202eevil" in text


def test_a_requirement_that_cannot_be_evaluated_does_not_break_the_page(
    client: TestClient[Litestar], market: Marketplace
) -> None:
    odd = ["foo; extra == 'x' and os_name ~= 'posix'", f"a; {'(' * 2000}os_name=='x'{')' * 2000}"]
    make_release(market, about={"requires_dist": ["acme-tools[x]", *odd]})
    assert client.get("/plugins/acme-tools/").status_code == 200
