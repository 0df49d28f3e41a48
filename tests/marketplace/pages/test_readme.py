"""Descriptions as HTML: rendered, and sanitised for our pages."""

from __future__ import annotations

import pytest
from chimes_marketplace.pages.readme import clean, render_readme
from markupsafe import Markup


def rendered(text: str, kind: str | None = "text/markdown") -> str:
    found = render_readme({"description": text, "description_content_type": kind})
    assert isinstance(found, Markup)
    return str(found)


def test_markdown_becomes_html_with_lower_headings() -> None:
    html = rendered("# Title\n\n## Part\n\n*true* and `code`\n\n|a|b|\n|-|-|\n|1|2|\n")
    assert "<h3" in html
    assert "<h4" in html
    assert "<em>true</em>" in html
    assert "<table>" in html


def test_restructuredtext_becomes_html() -> None:
    assert "<strong>bold</strong>" in rendered("Title\n=====\n\n**bold**\n", None)


def test_plain_text_is_not_changed() -> None:
    assert "&lt;b&gt;" in rendered("a <b> c", "text/plain")


@pytest.mark.parametrize("text", ["Title\n==\n\n.. nothing::\n", "", "x" * (600 << 10)])
def test_description_that_does_not_render_is_text(text: str) -> None:
    found = render_readme({"description": text, "description_content_type": "text/x-rst"})
    assert not isinstance(found, Markup)
    assert found == text


@pytest.mark.parametrize("about", [{}, {"description": None}, {"description": "x", "description_content_type": "\nx;"}])
def test_unusual_metadata_is_accepted(about: dict[str, object]) -> None:
    assert render_readme(about) is not None


REL = 'rel="nofollow ugc noreferrer"'


@pytest.mark.parametrize(
    ("html", "cleaned"),
    [
        ("<p>a<script>b</script><style>c</style></p>", "<p>a</p>"),
        ('<p onclick="x" style="x" class="badge verified">a</p>', "<p>a</p>"),
        ('<a href="javascript:alert(1)">a</a>', f"<a {REL}>a</a>"),
        ('<a href=" JavaScript:alert(1)">a</a>', f"<a {REL}>a</a>"),
        ('<a href="docs/index.md">a</a><a href="//example.org/">b</a>', f"<a {REL}>a</a><a {REL}>b</a>"),
        ('<a href="data:text/html,x">a</a>', f"<a {REL}>a</a>"),
        ('<a href="#user-content-x">a</a>', f'<a href="#readme-user-content-x" {REL}>a</a>'),
        ('<a title="a>b" href="mailto:a@b">a</a>', f'<a title="a&gt;b" href="mailto:a@b" {REL}>a</a>'),
        ('<h1 id="install">a<a href="#x"></a></h1>', '<h3 id="readme-install">a</h3>'),
        ("<p id='a\"b'>a</p>", '<p id="readme-a&quot;b">a</p>'),
        ("<h6>a</h6>", "<h6>a</h6>"),
        ('<span class="kn badge">a</span><span class="badge">b</span>', '<span class="kn">a</span><span>b</span>'),
        ('<input type="text" name="q" checked>', '<input checked="" disabled="" type="checkbox">'),
        ("<p><em>a", "<p><em>a</em></p>"),
        ("a<b", "a"),
        ("<form action=x><button>a</button></form>", "a"),
        ("<iframe src=x>a</iframe>", "a"),
        ("<object data=x>a</object><embed src=x><video src=x>b</video><svg><a href=x>c</a></svg>", "ab"),
        ("a &lt;script&gt; &amp;", "a &lt;script&gt; &amp;"),
    ],
)
def test_only_allowed_html_remains(html: str, cleaned: str) -> None:
    assert clean(html) == cleaned


@pytest.mark.parametrize(
    ("html", "cleaned"),
    [
        (
            '<img src="https://example.org/a.png" alt="a graph">',
            f'<a href="https://example.org/a.png" {REL}>a graph</a>',
        ),
        ("<img src='http://example.org/?a=1&amp;b=2'>", None),
        ('<img src="data:image/png;base64,x" alt="a graph">', "a graph"),
        ('<img src="a.png" alt="<script>">', "&lt;script&gt;"),
        ('<img alt="">', "picture"),
        (
            '<a href="https://example.org/"><img src="https://example.org/b.svg" alt="build"></a>',
            f'<a href="https://example.org/" {REL}>build</a>',
        ),
    ],
)
def test_picture_becomes_a_link_to_it_or_its_text(html: str, cleaned: str | None) -> None:
    found = clean(html)
    assert found is not None
    assert "<img" not in found
    if cleaned is not None:
        assert found == cleaned


def test_description_nested_too_deeply_is_shown_as_text() -> None:
    assert clean("<ul><li>" * 5000 + "a") is None
    assert clean("<b>" * 99 + "a") == "<b>" * 99 + "a" + "</b>" * 99
    text = "<ul><li>" * 5000 + "a"
    assert render_readme({"description": text, "description_content_type": "text/markdown"}) == text
