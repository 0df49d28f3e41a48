"""Descriptions as HTML: rendered, and tamed whatever they hold."""

from __future__ import annotations

import pytest
from chimes_marketplace.pages.readmes.html import readme_of
from chimes_marketplace.pages.readmes.markup import tame
from markupsafe import Markup


def rendered(text: str, kind: str | None = "text/markdown") -> str:
    found = readme_of({"description": text, "description_content_type": kind})
    assert isinstance(found, Markup)
    return str(found)


def test_markdown_becomes_html_below_our_headings() -> None:
    html = rendered("# Title\n\n## Part\n\n*true* and `code`\n\n|a|b|\n|-|-|\n|1|2|\n")
    assert "<h3" in html
    assert "<h4" in html
    assert "<em>true</em>" in html
    assert "<table>" in html


def test_restructuredtext_becomes_html() -> None:
    assert "<strong>bold</strong>" in rendered("Title\n=====\n\n**bold**\n", None)


def test_plain_text_stays_as_it_is() -> None:
    assert "&lt;b&gt;" in rendered("a <b> c", "text/plain")


@pytest.mark.parametrize("text", ["Title\n==\n\n.. nothing::\n", "", "x" * (600 << 10)])
def test_what_does_not_render_is_text(text: str) -> None:
    found = readme_of({"description": text, "description_content_type": "text/x-rst"})
    assert not isinstance(found, Markup)
    assert found == text


@pytest.mark.parametrize("about", [{}, {"description": None}, {"description": "x", "description_content_type": "\nx;"}])
def test_odd_metadata_breaks_nothing(about: dict[str, object]) -> None:
    assert readme_of(about) is not None


@pytest.mark.parametrize(
    ("html", "tamed"),
    [
        ("<p>a<script>b</script></p>", "<p>ab</p>"),
        ('<p onclick="x" style="x" class="badge verified">a</p>', "<p>a</p>"),
        ('<a href="javascript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href=" JavaScript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href="#user-content-x">a</a>', '<a href="#readme-user-content-x">a</a>'),
        ('<h1 id="install">a<a href="#x"></a></h1>', '<h3 id="readme-install">a</h3>'),
        ("<h6>a</h6>", "<h6>a</h6>"),
        ('<span class="kn">a</span><span class="badge">b</span>', '<span class="kn">a</span><span>b</span>'),
        ('<input type="text" name="q" checked>', '<input type="checkbox" disabled="" checked="">'),
        ("<p><em>a", "<p><em>a</em></p>"),
        ("</p>a<b", "a&lt;b"),
        ("<form action=x><button>a</button></form>", "a"),
        ("<iframe src=x>a</iframe>", "a"),
        ("a &lt;script&gt; &amp;", "a &lt;script&gt; &amp;"),
    ],
)
def test_only_what_is_named_survives(html: str, tamed: str) -> None:
    assert tame(html) == tamed


def test_pictures_of_others_become_links() -> None:
    link = '<a href="https://example.org/a.png" rel="nofollow ugc noreferrer">a graph</a>'
    assert tame('<img src="https://example.org/a.png" alt="a graph">') == link
    assert tame('<img src="data:image/png;base64,x" alt="a graph">') == "a graph"
    badge = tame('<a href="https://example.org/"><img src="https://example.org/b.svg" alt="build"></a>')
    assert badge == '<a href="https://example.org/" rel="nofollow ugc noreferrer">build</a>'


def test_nesting_ends_somewhere() -> None:
    assert tame("<ul><li>" * 5000 + "a").count("<ul>") <= 100
