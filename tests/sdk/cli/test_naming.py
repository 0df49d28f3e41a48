"""The names and texts that a template accepts."""

from __future__ import annotations

import pytest
from chimes.cli.scaffolding.naming import check_component, check_name, check_text
from chimes.errors import ConfigError


@pytest.mark.parametrize("name", ["a", "my-model", "acme.rain_2", "chimes-onnx", "x" * 40, "match", "model3d"])
def test_a_name_that_can_be_installed_and_imported_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("My Model", "my-model"),
        ("3d-model", "model-3d-model"),
        ("a--b", "a-b"),
        ("-a", "a"),
        ("a_", "a"),
        ("ünicode", "nicode"),
        ("编钟", "my-model"),
        ("", "my-model"),
        ("x" * 41, "x" * 40),
        ("../up", "up"),
        ("a\n", "a"),
    ],
)
def test_a_malformed_name_is_refused_with_a_valid_suggestion(name: str, suggestion: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_name(name)
    assert repr(name) in str(caught.value)
    assert str(caught.value.hint).endswith(f": {suggestion}")
    check_name(suggestion)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("class", "a keyword"),
        ("json", "standard library"),
        ("concurrent", "standard library"),
        ("chimes", "every plugin needs"),
        ("pyarrow", "every plugin needs"),
        ("license-expression", "every plugin needs"),
        ("numpy", "others import"),
        ("scikit-learn", "others import"),
        ("pluggy", "every plugin needs"),
        ("pyyaml", "others import"),
        ("yaml", "others import"),
        ("requirements-txt", "reserved"),
        ("tests", "other projects use"),
        ("pytest", "other projects use"),
    ],
)
def test_a_taken_name_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        check_name(name)
    check_name(f"acme-{name}")
    assert f"acme-{name}" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["Rain", "rain_cast", "1st", "", "a-", "x" * 41])
def test_an_invalid_component_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_component(name)


def test_text_of_any_script_is_accepted_and_stripped() -> None:
    assert check_text("summary", '  编钟\u3000plays 🔔 & "rings" ') == '编钟\u3000plays 🔔 & "rings"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "is empty"),
        ("x" * 201, "has 201 characters"),
        ("a\x00b", r"U\+0000"),
        ("a\u2028b", r"U\+2028"),
        ("a\u202eb", r"U\+202E"),
        ("a\udc80b", r"U\+DC80"),
    ],
)
def test_text_that_does_not_fit_on_a_line_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_text("summary", text)
