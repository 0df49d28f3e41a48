"""Every kind is complete: hook, interface, suite, strict plugin, and what is still to come is written down."""

from __future__ import annotations

import importlib

import pytest
from chimes import hooks
from chimes.conformance.catalogue import CHECKS
from chimes.registration import KINDS, Kind
from chimes.registry import HOOKS
from house_tree import ROOT

TEMPLATES_TO_COME = {"connector", "backend"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_hook_interface_suite_fake_and_reference(kind: Kind) -> None:
    assert hasattr(hooks, HOOKS[kind])
    assert importlib.import_module(f"chimes.kinds.{kind}").__doc__
    assert [check for check in CHECKS if getattr(check, "kind", None) == kind]
    assert (ROOT / "sdk/src/chimes/conformance/gate/strict" / kind / f"{kind}.py").is_file()
    testing = importlib.import_module("chimes.testing")
    assert {"model": "FakeModel", "connector": "FakeConnector", "backend": "FakeBackend"}[kind] in testing.__all__


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_template_or_stands_among_those_to_come(kind: Kind) -> None:
    assert (ROOT / "templates" / kind / "cookiecutter.json").is_file() != (kind in TEMPLATES_TO_COME)
