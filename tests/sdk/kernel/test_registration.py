from __future__ import annotations

import pytest
from chimes import Registration
from chimes.errors import ChimesError, ConfigError, IncompatiblePluginError

GOOD = {"name": "nowcast", "summary": "Rain soon", "target": "acme.model:Nowcast", "api": "chimes.model/1"}


def register(**changes: object) -> Registration:
    values: dict[str, object] = {**GOOD, **changes}
    return Registration(**values)  # type: ignore[arg-type]


def test_a_good_registration_is_usable_as_its_kind() -> None:
    register(devices=("cpu", "npu"), capabilities=("thread_safe",)).check_host("model")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Not A Name"),
        ("name", ""),
        ("summary", "  "),
        ("summary", "two\nlines"),
        ("target", "acme.model"),
        ("target", "acme model:Nowcast"),
        ("harness", "acme:"),
        ("api", "chimes.model"),
        ("api", "model/1"),
    ],
)
def test_a_malformed_value_is_refused_with_the_value_and_a_fix(field: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        register(**{field: value})
    assert caught.value.hint
    assert field in ("summary",) or value in str(caught.value)


def test_a_registration_from_the_future_is_incompatible() -> None:
    with pytest.raises(IncompatiblePluginError, match="version 2"):
        register(version=2).check_host("model")


@pytest.mark.parametrize("api", ["chimes.model/2", "chimes.connector/1"])
def test_another_interface_version_or_kind_is_incompatible(api: str) -> None:
    with pytest.raises(IncompatiblePluginError, match=api):
        register(api=api).check_host("model")


def test_an_unknown_capability_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match="teleport"):
        register(capabilities=("teleport",)).check_host("model")


def test_every_error_has_a_code_in_kebab_case_and_a_fault() -> None:
    found = {cls.code for cls in ChimesError.__subclasses__()}
    assert {"config", "device-unavailable", "out-of-memory", "incompatible-plugin"} <= found
    assert all(cls.fault in ("user", "plugin", "infrastructure") for cls in ChimesError.__subclasses__())


def test_an_error_keeps_its_hint_and_may_blame_somebody_else() -> None:
    error = ConfigError("bad value 3", hint="use 4", fault="plugin")
    assert (str(error), error.hint, error.fault, error.retryable) == ("bad value 3", "use 4", "plugin", False)
