"""Content negotiation (RFC 9110, section 12.5): weights, wildcards, parameters, case, several and malformed headers."""

from __future__ import annotations

import pytest
from chimes_marketplace.web.negotiation import choose_encoding, choose_media_type, parse_accept, quality_of

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
OFFERED = {
    "html": ["text/html"],
    "json": [JSON, "application/vnd.pypi.simple.latest+json"],
    "v1 html": [V1_HTML, "application/vnd.pypi.simple.latest+html"],
}


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ([], "html"),
        ([""], "html"),
        (["*/*"], "html"),
        (["application/*"], "json"),
        (["text/*"], "html"),
        ([JSON], "json"),
        ([JSON.upper()], "json"),
        (["application/vnd.pypi.simple.latest+json"], "json"),
        (["application/vnd.pypi.simple.latest+html"], "v1 html"),
        # The weight decides, not the order.
        ([f"text/html;q=0.1, {JSON};q=0.9"], "json"),
        ([f"{JSON};q=0.1, text/html;q=0.9"], "html"),
        # Among equal weights a named type is preferred to a wildcard, then the client's order decides.
        ([f"*/*, {JSON}"], "json"),
        ([f"{JSON}, text/html"], "json"),
        ([f"text/html, {JSON}"], "html"),
        # q=0 means not acceptable, even if a wildcard matches.
        (["text/html;q=0, */*"], "json"),
        (["*/*, text/html; q=0.000"], "json"),
        (["text/html;q=0"], "json"),
        (["text/*;q=0, application/*;q=0.1"], "json"),
        (["text/html;Q=0,*/*;Q=0.5"], "json"),
        ([f"*/*;q=0, {JSON}"], "json"),
        (["*/*;q=0"], None),
        (["text/*;q=0, application/*;q=0"], None),
        # The most specific range applies (RFC 9110).
        ([f"application/*;q=0.9, {JSON};q=0.2, text/html;q=0.3"], "v1 html"),
        # Several headers are one list.
        (["text/html;q=0.5", JSON], "json"),
        # Parameters: our types are UTF-8; a type with any other parameter does not match.
        (["text/html;charset=utf-8"], "html"),
        ([f'{JSON};q=0.5, text/html;level="1,2;q=0"'], "json"),
        ([f"text/html;level=1, {JSON};q=0.4"], "json"),
        ([f"text/html;q=0.5;level=1, {JSON};q=0.4"], "json"),
        ([f"{JSON} ; q = 0.4 ;"], "json"),
        # None of our types is accepted, and none is refused.
        (["image/png"], "html"),
        (["image/png;q=0"], "html"),
        # Malformed elements are ignored.
        ([";;,,="], "html"),
        ([f"text/html;q=x, {JSON};q=0.1"], "json"),
        ([f"text/html;q=inf, {JSON};q=0.1"], "json"),
        ([f"text/html;q=nan, {JSON};q=0.1"], "json"),
        ([f"text/html;q=-1, {JSON};q=0.1"], "json"),
        ([f"text/html;q=2, {JSON};q=0.1"], "json"),
        ([f"text/html;q=1e-1, {JSON};q=0.1"], "json"),
        ([f"text/html;q=, {JSON};q=0.1"], "json"),
        ([f"text/html;level, {JSON};q=0.1"], "json"),
        ([f"*/html, {JSON};q=0.1"], "json"),
        ([f"text, /, text/, /html, te xt/html, {JSON};q=0.1"], "json"),
        ([f'{JSON}, text/html;x="'], "json"),
        ([f"\xff/\xff, {JSON};q=0.1"], "json"),
        ([",".join(["a/b"] * 5000)], "html"),
    ],
)
def test_media_type_is_the_one_that_the_client_prefers(headers: list[str], chosen: str | None) -> None:
    assert choose_media_type(headers, OFFERED) == chosen


@pytest.mark.parametrize(
    ("media_type", "quality"),
    [
        ("text/html", 0.7),
        ("text/plain", 0.3),
        ("image/jpeg", 0.5),
        ("application/json", 0.0),
    ],
)
def test_quality_is_that_of_the_most_specific_range(media_type: str, quality: float) -> None:
    accepted = parse_accept(["text/*;q=0.3, text/html;q=0.7, text/html;level=2;q=0.4, */*;q=0.5, application/json;q=0"])
    assert quality_of(accepted, media_type) == quality


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ([], None),
        ([""], None),
        (["identity"], None),
        (["gzip"], "gzip"),
        (["GZIP"], "gzip"),
        (["gzip, zstd"], "zstd"),
        (["gzip", "zstd;q=0.5"], "gzip"),
        (["gzip;q=0"], None),
        (["gzip; q = 0.000"], None),
        (["*"], "zstd"),
        (["*;q=0.1, zstd;q=0"], "gzip"),
        (["zstd;q=x, gzip;q=0.1"], "gzip"),
        (["br, deflate"], None),
        (["\xff, ;;=, gzip"], "gzip"),
    ],
)
def test_encoding_is_the_one_that_the_client_prefers(headers: list[str], chosen: str | None) -> None:
    assert choose_encoding(headers, ("zstd", "gzip")) == chosen
