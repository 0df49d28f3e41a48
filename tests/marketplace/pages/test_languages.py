"""Chinese and English: which one a user gets, and that every text is translated."""

from __future__ import annotations

import re
from pathlib import Path

import chimes_marketplace
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from chimes_marketplace.pages.languages import choose
from chimes_marketplace.web.state import Marketplace
from litestar import Litestar
from litestar.testing import TestClient
from release_factories import FINDING, make_release

PACKAGE = Path(chimes_marketplace.__file__).parent
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
OWN_WORDS = {"中文", "English", "编钟", "API", "OpenAPI", "Python", "sha256", "·", "nonce.txt", "pylock.toml"}


def messages() -> set[str]:
    found: set[str] = set()
    for folder, pattern, method in (("templates", "**.html", "jinja2"), ("pages", "**.py", "python")):
        options = {pattern: {"trimmed": "true"}} if method == "jinja2" else None
        rows = extract_from_dir(PACKAGE / folder, [(pattern, method)], options, KEYWORDS)
        for _, _, text, _, _ in rows:
            found |= {text} if isinstance(text, str) else set(text[:1])
    return found


def test_every_text_is_translated() -> None:
    with (PACKAGE / "locales" / "zh" / "LC_MESSAGES" / "messages.po").open("rb") as stream:
        catalog = read_po(stream)
    translated = {}
    for message in catalog:
        key = message.id if isinstance(message.id, str) else message.id[0]
        translated[key] = message.string if isinstance(message.string, str) else "".join(message.string or ())
    wanted = messages()
    assert len(wanted) > 100
    assert sorted(text for text in wanted if not translated.get(text)) == []
    assert sorted(set(translated) - wanted - {""}) == [], "translations of texts that are nowhere"


@pytest.mark.parametrize("path", sorted((PACKAGE / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_a_template_holds_no_text_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    text = re.sub(r"\{% trans.*?\{% endtrans %\}", " ", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", " ", text, flags=re.DOTALL)
    text = re.sub(r"<pre class=\"command\">.*?</pre>", " ", text, flags=re.DOTALL)
    text = re.sub(r"<code>.*?</code>", " ", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", "\n", text, flags=re.DOTALL)
    left = {word for word in text.split() if re.search(r"\w", word) and word not in OWN_WORDS}
    assert left == set()


@pytest.mark.parametrize(
    ("asked", "cookie", "accepted", "language"),
    [
        (None, None, "", "en"),
        (None, None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "en;q=0.5, zh;q=0.8", "zh"),
        (None, None, "fr, zh;q=0, de;q=x, ;;", "en"),
        (None, "zh", "en", "zh"),
        ("en", "zh", "zh", "en"),
        ("xx", "yy", "zh", "zh"),
    ],
)
def test_the_language_comes_from_the_query_then_the_cookie_then_the_browser(
    asked: str | None, cookie: str | None, accepted: str, language: str
) -> None:
    assert choose(asked, cookie, accepted) == language


def test_the_language_switch_is_remembered_and_keeps_the_search(
    client: TestClient[Litestar], market: Marketplace
) -> None:
    make_release(market)
    english = client.get("/plugins/?q=tools")
    assert 'href="?q=tools&amp;lang=zh"' in english.text
    assert '<html lang="en">' in english.text
    chinese = client.get("/plugins/?q=tools&lang=zh")
    assert '<html lang="zh-CN">' in chinese.text
    assert "samesite=lax" in chinese.headers["set-cookie"].lower()
    assert "插件" in client.get("/plugins/").text, "the cookie is kept"


def test_all_pages_exist_in_chinese(client: TestClient[Litestar], market: Marketplace, alice: dict[str, str]) -> None:
    make_release(market)
    rejected = make_release(market, version="2.0", state="rejected", findings=[FINDING])
    client.headers["accept-language"] = "zh"
    for path, text in {
        "/": "先运行，再上架",
        "/plugins/acme-tools/": "已验证",
        f"/stage/{rejected.secret}/report": "未上架",
        "/plugins/nothing/": "这里没有内容",
    }.items():
        assert text in client.get(path).text, path
