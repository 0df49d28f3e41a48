"""Every kind is complete: descriptor, hook, interface, suite, strict plugin, fake, template."""

from __future__ import annotations

import importlib
import typing

import pytest
from chimes import hooks, testing
from chimes.conformance.catalogue import CHECKS
from chimes.kinds.descriptors import KINDS, Kind, KindDescriptor
from house_tree import ROOT

TEMPLATES_TO_COME = {"connector", "backend"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_has_hook_interface_suite_strict_plugin_and_fake(kind: KindDescriptor) -> None:
    assert hasattr(hooks, kind.hook)
    assert importlib.import_module(kind.module).__doc__
    assert [check for check in CHECKS if getattr(check, "kind", None) == kind.name]
    assert (ROOT / "sdk/src/chimes/conformance/gate/strict" / kind.name / f"{kind.name}.py").is_file()
    assert [fake for fake in testing.__all__ if is_fake_of(getattr(testing, fake), kind.load_interface())]


def is_fake_of(value: object, interface: type) -> bool:
    return isinstance(value, type) and issubclass(value, interface)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_descriptor_agrees_with_its_interface(kind: KindDescriptor) -> None:
    interface = kind.load_interface()
    assert interface.api in kind.apis
    required = {name for name, value in vars(interface).items() if getattr(value, "__isabstractmethod__", False)}
    assert set(kind.operations) == {*required, "close"}
    assert kind.load_values().keys() == set(kind.values)


def test_the_kind_literal_lists_every_kind() -> None:
    assert tuple(KINDS) == typing.get_args(Kind) == tuple(kind.name for kind in KINDS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_template_or_is_listed_as_planned(kind: Kind) -> None:
    assert (ROOT / "templates" / kind / "cookiecutter.json").is_file() != (kind in TEMPLATES_TO_COME)
