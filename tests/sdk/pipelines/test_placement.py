"""Parameters, placements and environments: the decisions before a job is submitted."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from chimes.host.params import check_params
from chimes.kinds.backend import Inventory, Pool
from chimes.kinds.component import Config
from chimes.pipelines.environment import find_secrets, private_environment, worker_environment
from chimes.pipelines.placement import choose_resources, find_placements
from chimes.resources import Device, Resources
from pydantic import Field, SecretStr

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "factor": {"type": "number"},
        "steps": {"type": ["integer", "null"]},
        "mode": {"type": "string", "enum": ["plain", "loud"]},
        "on": {"type": "boolean"},
        "free": True,
    },
    "required": ["factor"],
}


def test_good_parameters_have_no_problem() -> None:
    assert check_params(SCHEMA, {"factor": 1, "steps": None, "mode": "loud", "on": True, "free": [1]}) == ()
    assert check_params(SCHEMA, {"factor": 1.5, "steps": 2.0}) == ()


@pytest.mark.parametrize(
    ("params", "message", "fix"),
    [
        ({}, "parameter 'factor' is missing", "set factor under [model.params]"),
        ({"factor": 1, "step": 1}, "the model has no parameter 'step'", "did you mean steps? its parameters: factor,"),
        ({"factor": 1, "zzz": 1}, "the model has no parameter 'zzz'", "its parameters: factor,"),
        ({"factor": "1"}, "parameter factor = '1' is not of type number", "correct it"),
        ({"factor": True}, "parameter factor = True is not of type number", "correct it"),
        ({"factor": 1, "steps": 1.5}, "parameter steps = 1.5 is not of type integer or null", "correct it"),
        ({"factor": 1, "mode": "odd"}, "parameter mode = 'odd' is not one of 'plain', 'loud'", "choose one"),
    ],
)
def test_an_invalid_parameter_is_named(params: dict[str, Any], message: str, fix: str) -> None:
    (problem,) = check_params(SCHEMA, params)
    assert problem.message == message
    assert problem.fix.startswith(fix)
    assert problem.where.startswith("model.params.")


RULES: dict[str, Any] = {
    "$defs": {"size": {"type": "integer", "minimum": 1}},
    "allOf": [{"properties": {"common": {"type": "string"}}}],
    "properties": {
        "ratio": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        "steps": {"multipleOf": 5},
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "fixed": {"const": 3},
        "labels": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
        "window": {
            "type": "object",
            "properties": {"size": {"$ref": "#/$defs/size"}},
            "required": ["size"],
            "additionalProperties": False,
        },
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "patternProperties": {"^x_": {"type": "number"}},
    "dependentRequired": {"ratio": ["steps"]},
}


@pytest.mark.parametrize(
    ("params", "where", "part"),
    [
        ({"ratio": 1, "steps": 5}, "ratio", "ratio = 1 is not allowed: its exclusiveMaximum is 1"),
        ({"ratio": -0.5, "steps": 5}, "ratio", "-0.5"),
        ({"steps": 7}, "steps", "its multipleOf is 5"),
        ({"name": "a"}, "name", "its minLength is 2"),
        ({"name": "AB"}, "name", "its pattern is '^[a-z]+$'"),
        ({"fixed": 4}, "fixed", "its const is 3"),
        ({"labels": ["a", "b", "c"]}, "labels", "its maxItems is 2"),
        ({"labels": ["a", "a"]}, "labels", "its uniqueItems is True"),
        ({"labels": ["a", 1]}, "labels.1", "parameter labels.1 = 1 is not of type string"),
        ({"window": {"size": 0}}, "window.size", "its minimum is 1"),
        ({"window": {}}, "window.size", "parameter 'window.size' is missing"),
        ({"window": {"size": 1, "sise": 2}}, "window", "additionalProperties"),
        ({"either": "x"}, "either", "not valid under any of the given schemas"),
        ({"ratio": 0.5}, "", "the set of parameters is not allowed"),
        ({"x_a": "1"}, "x_a", "not of type number"),
        ({"common": 1}, "common", "not of type string"),
        ({"y_a": 1}, "y_a", "the model has no parameter 'y_a'"),
    ],
)
def test_every_rule_of_a_schema_is_checked_and_named(params: dict[str, Any], where: str, part: str) -> None:
    (problem,) = check_params(RULES, params)
    assert problem.where == ".".join(filter(None, ("model.params", where)))
    assert part in problem.message
    assert problem.fix


def test_parameters_that_keep_every_rule_have_no_problem() -> None:
    params: dict[str, Any] = {
        "ratio": 0.5,
        "steps": 5,
        "window": {"size": 1},
        "either": None,
        "x_a": 1.5,
        "common": "c",
        "labels": [],
    }
    assert check_params(RULES, params) == ()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"a": 1}},
        {"$ref": "https://example.invalid/schema.json"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#"},
        {"properties": {"a": {"pattern": "("}}},
        {"title": "a text", "$ref": "#/title"},
        {"enum": [1], "$ref": "#/enum/0"},
        {"x": {"type": "nonsense"}, "$ref": "#/x"},
        {"x": {"properties": {"a": {"pattern": "("}}}, "$ref": "#/x"},
    ],
)
def test_a_schema_that_is_wrong_is_the_plugins_fault(schema: dict[str, Any]) -> None:
    (problem,) = check_params(schema, {"a": "1"})
    assert (problem.code, problem.where) == ("plugin-crashed", "model.params")
    assert problem.fix == "report it to the plugin's author"


def test_a_number_that_a_rule_cannot_be_computed_for_is_a_problem_not_a_crash() -> None:
    (problem,) = check_params({"properties": {"a": {"multipleOf": 0.5}}}, {"a": 10**400})
    assert "OverflowError" in problem.message


def test_a_schema_that_takes_all_names_takes_all_names() -> None:
    assert check_params({"additionalProperties": True}, {"anything": 1}) == ()


def place(device: str, pool: Pool, **asked: Any) -> tuple[list[str], str, str]:
    placements, problems = find_placements(
        Device.parse(device), ("cpu", "npu"), Resources(**asked), "b", Inventory(pools=(pool,))
    )
    return [p.pool for p in placements], *((problems[0].message, problems[0].fix) if problems else ("", ""))


def test_any_pool_with_room_runs_a_cpu_model() -> None:
    assert place("cpu", Pool(name="desk", cpus=2), cpus_per_task=2) == (["desk"], "", "")


def test_a_pool_without_the_device_says_so() -> None:
    pools, message, fix = place("npu", Pool(name="local", cpus=2))
    assert pools == []
    assert message == "cannot run on npu: pool local has no npu"
    assert fix == 'write device = "cpu", or choose another [backend]'


def test_a_device_number_beyond_the_pools_is_named() -> None:
    pool = Pool(name="rack", accelerators={"npu.ascend910b3": 2})
    assert place("npu:1", pool)[0] == ["rack"]
    assert place("npu:2", pool)[1] == "cannot run on npu: pool rack has 2 npu, npu:2 is not among them"


def test_everything_that_a_pool_lacks_is_named() -> None:
    pool = Pool(name="desk", cpus=1, memory_bytes=100, walltime_limit_s=60)
    asked = {"cpus_per_task": 2, "memory_bytes_per_task": 200, "walltime_s": 90.0}
    _, message, fix = place("cpu", pool, **asked)
    assert "has 1 cpus, 2 are asked for" in message
    assert "has 100 bytes of memory, 200 are asked for" in message
    assert "ends jobs after 60 s, 90 s are asked for" in message
    assert fix.startswith("ask for less under [resources]")


def test_what_a_pool_does_not_report_is_unknown_and_allowed() -> None:
    placements, _ = find_placements(
        Device("cpu"), ("cpu",), Resources(memory_bytes_per_task=1), "b", Inventory(pools=(Pool(name="dark"),))
    )
    assert placements[0].unknown == ("cpus", "memory")


def test_a_backend_without_pools_can_run_nothing() -> None:
    _, problems = find_placements(Device("cpu"), ("cpu",), Resources(), "acme:cloud", Inventory(pools=()))
    assert problems[0].message == "cannot run on cpu: backend acme:cloud has no pools"


def test_a_device_that_the_model_lacks_is_named() -> None:
    _, problems = find_placements(Device("tpu"), ("cpu", "npu"), Resources(), "b", Inventory(pools=()))
    assert problems[0].message == "the model cannot run on tpu: it supports cpu, npu"
    assert problems[0].fix == 'write device = "cpu"'
    _, problems = find_placements(Device("tpu"), (), Resources(), "b", Inventory(pools=()))
    assert problems[0].fix == "choose another model"


def test_the_resources_of_a_pipeline_come_before_those_of_the_model() -> None:
    default = Resources(cpus_per_task=2, memory_bytes_per_task=10, walltime_s=5)
    asked = choose_resources(Device("npu"), default, 4, None, None)
    assert (asked.cpus_per_task, asked.memory_bytes_per_task, asked.walltime_s) == (4, 10, 5)
    assert asked.accelerators[0].kinds == ("npu",)
    assert choose_resources(Device("cpu"), default, None, 20, 6).accelerators == ()


HOST = {
    "PATH": "/usr/bin",
    "HOME": "/home/mei",
    "LC_ALL": "C.UTF-8",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "HTTPS_PROXY": "http://user:pass@proxy",
    "CUDA_VISIBLE_DEVICES": "4, 6",
    "ASCEND_HOME_PATH": "/opt/ascend",
    "CUDA_HOME": "/opt/cuda",
}


def test_a_worker_on_the_cpu_sees_no_accelerator_and_no_secret() -> None:
    env = worker_environment(Device("cpu"), HOST)
    assert env["PATH"] == "/usr/bin"
    assert env["LC_ALL"] == "C.UTF-8"
    assert env["CUDA_VISIBLE_DEVICES"] == env["ASCEND_RT_VISIBLE_DEVICES"] == ""
    assert env["TORCH_DEVICE_BACKEND_AUTOLOAD"] == "0"
    assert "ORT_DISABLE_TELEMETRY" not in env
    assert not {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "CUDA_HOME", "ASCEND_HOME_PATH"} & set(env)


def test_a_worker_sees_the_one_device_that_it_was_given() -> None:
    env = worker_environment(Device("cuda", 1), HOST)
    assert env["CUDA_VISIBLE_DEVICES"] == "6"
    assert env["ASCEND_RT_VISIBLE_DEVICES"] == ""
    assert env["CUDA_HOME"] == "/opt/cuda"
    env = worker_environment(Device("npu", 1), HOST)
    assert env["ASCEND_RT_VISIBLE_DEVICES"] == "1"
    assert env["ASCEND_HOME_PATH"] == "/opt/ascend"
    assert "TORCH_DEVICE_BACKEND_AUTOLOAD" not in env


class Login(Config):
    user: str = "mei"
    password: str | None = "env:LOGIN_PASSWORD"


@dataclasses.dataclass(frozen=True)
class Mirror:
    token: str = "env:MIRROR_TOKEN"


class Archive(Config):
    """A configuration with a secret in every place that can hold one by default."""

    plain: str = "env:PLAIN"
    optional: str | None = "env:my.key-2"
    file: str = "file:/run/secrets/key"
    hidden: SecretStr = SecretStr("env:HIDDEN")
    login: Login = Login()
    logins: tuple[Login, ...] = (Login(password="env:SECOND"),)
    by_name: dict[str, Login | str] = Field({"a": Login(password="env:THIRD"), "b": "env:FOURTH"})
    union: int | list[str] = Field(default_factory=lambda: ["env:FIFTH"])
    mirror: Mirror = Mirror()
    unset: str | None = None


DEFAULTS = {"PLAIN", "my.key-2", "HIDDEN", "LOGIN_PASSWORD", "SECOND", "THIRD", "FOURTH", "FIFTH", "MIRROR_TOKEN"}


def test_secrets_are_found_in_defaults_as_in_given_values() -> None:
    assert set(find_secrets(Archive())) == DEFAULTS
    assert set(find_secrets({"a": "env:X", "b": [{"c": "env:Y"}], "d": 1, "e": "about env:Z"})) == {"X", "Y"}
    given = Archive(plain="env:OTHER", login=Login(password=None))
    assert set(find_secrets(given)) == DEFAULTS - {"PLAIN", "LOGIN_PASSWORD"} | {"OTHER"}


def test_only_secrets_that_a_configuration_names_are_handed_over() -> None:
    secrets = find_secrets(
        {"key": "env:AWS_SECRET_ACCESS_KEY"}, {"all": [{"other": "env:NOT_SET"}, "env:PATH or so", 3]}
    )
    assert private_environment(HOST, secrets) == {
        "AWS_SECRET_ACCESS_KEY": "hush",
        "HTTPS_PROXY": "http://user:pass@proxy",
    }
