from __future__ import annotations

import json

import pytest
from chimes import AcceleratorRequest, Registration, Resources
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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", b"nowcast"),
        ("summary", 7),
        ("target", ("acme.model", "Nowcast")),
        ("api", 1),
        ("devices", ["cpu"]),
        ("devices", "cpu"),
        ("devices", (7,)),
        ("capabilities", {"thread_safe"}),
        ("network", (None,)),
        ("files", ["/data"]),
        ("environment", {"DO_NOT_TRACK": "1"}),
        ("environment", (("DO_NOT_TRACK", "1"),)),
        ("resources", {}),
        ("harness", 7),
        ("version", "1"),
        ("version", True),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_field_and_a_fix(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field) as caught:
        register(**{field: value})
    assert caught.value.hint


@pytest.mark.parametrize(
    "assignment",
    [
        "ORT_DISABLE_TELEMETRY=1",
        "HF_HUB_DISABLE_TELEMETRY=1",
        "DO_NOT_TRACK=1",
        "HF_HUB_OFFLINE=1",
        "TRANSFORMERS_OFFLINE=1",
        "TOKENIZERS_PARALLELISM=false",
        "CUBLAS_WORKSPACE_CONFIG=:4096:8",
    ],
)
def test_a_variable_that_turns_something_off_may_be_asked_for(assignment: str) -> None:
    name, _, value = assignment.partition("=")
    assert register(environment=(assignment, "TF_CPP_MIN_LOG_LEVEL=2")).variables == {
        name: value,
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


@pytest.mark.parametrize(
    "assignment",
    [
        "LD_PRELOAD=/tmp/evil.so",
        "LD_LIBRARY_PATH=lib",
        "PYTHONPATH=lib",
        "PATH=bin",
        "HOME=x",
        "CUDA_VISIBLE_DEVICES=1",
        "ASCEND_RT_VISIBLE_DEVICES=1",
        "OMP_NUM_THREADS=64",
        "https_proxy=proxy:80",
        "CHIMES_PLUGINS=x",
        "DO_NOT_TRACK",
        "DO_NOT_TRACK=",
        "do_not_track=1",
        "DO_NOT_TRACK=a b",
        "DO_NOT_TRACK=1\n",
        "DO_NOT_TRACK=\u0661",
        "DO_NOT_TRACK=" + "1" * 65,
        "XDO_NOT_TRACK=1",
        "LD_PRELOAD=x DO_NOT_TRACK=1",
        "_DISABLE_TELEMETRY=1",
        "A=B_DISABLE_TELEMETRY=1",
        "=1",
        "",
    ],
)
def test_any_other_variable_or_value_is_refused_with_the_names_that_are_allowed(assignment: str) -> None:
    with pytest.raises(ConfigError, match="may not ask for the environment variable") as caught:
        register(environment=(assignment,))
    assert "DO_NOT_TRACK" in str(caught.value.hint)


def test_a_variable_is_asked_for_once() -> None:
    with pytest.raises(ConfigError, match="DO_NOT_TRACK 2 times"):
        register(environment=("DO_NOT_TRACK=1", "DO_NOT_TRACK=0"))


def test_a_registration_is_the_same_after_a_round_trip_through_json() -> None:
    accelerator = AcceleratorRequest(kinds=("npu", "cuda"), count=2, memory_bytes=1 << 40)
    full = register(
        devices=("cpu", "npu"),
        capabilities=("thread_safe",),
        resources=Resources(nodes=2, accelerators=(accelerator, accelerator), walltime_s=0.5),
        network=("a.example",),
        files=("/data/*",),
        environment=("DO_NOT_TRACK=1",),
        harness="acme.conformance:Harness",
    )
    for registration in (register(), full):
        assert Registration.from_json(json.loads(json.dumps(registration.to_json()))) == registration


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"resources": None},
        {"resources": []},
        {"resources": {"accelerators": 7}},
        {"resources": {"accelerators": [{"kinds": 7}]}},
        {"resources": {"accelerators": [], "more": 1}},
        {"resources": {"accelerators": [], "nodes": {}}},
        {"resources": {"accelerators": [{"kinds": ["npu"], "count": [1]}]}},
        {"devices": [[]]},
        {"name": "Not A Name"},
        {"version": "1"},
    ],
)
def test_json_that_is_not_a_registration_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Registration.from_json({**register().to_json(), **change})


@pytest.mark.parametrize("data", [None, [], "x", 7, {}, {"resources": {}}])
def test_json_of_another_shape_is_refused(data: object) -> None:
    with pytest.raises(ConfigError):
        Registration.from_json(data)


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


def test_an_error_keeps_its_hint_and_may_have_another_fault() -> None:
    error = ConfigError("bad value 3", hint="use 4", fault="plugin")
    assert (str(error), error.hint, error.fault, error.retryable) == ("bad value 3", "use 4", "plugin", False)
