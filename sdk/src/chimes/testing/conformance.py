"""The conformance suite of an installed plugin as a test class."""

from __future__ import annotations

import functools

import pytest

from chimes.conformance.catalogue import CHECKS
from chimes.conformance.report import Report
from chimes.errors import NotFoundError
from chimes.registry import Registry

__all__ = ["suite"]


def suite(address: str) -> type:
    """The conformance suite of an installed plugin (or of one component, ``plugin:component``) as a test class.

    Assign it to a name that pytest collects (``TestConformance = suite("acme-weather")``): each check is an item,
    ``test_check[M11]``. The suite runs once, in child processes, when the first item does. Raises NotFoundError if
    no plugin or component of that name is installed.
    """
    distribution, _, component = address.partition(":")
    found = Registry.discover(only=[distribution]).listings
    kinds = {item.kind for item in found if component in ("", item.registration.name)}
    if not kinds:
        raise NotFoundError(f"no plugin or component {address!r} is installed", hint="install it: pip install -e .")
    planned = [check for check in CHECKS if getattr(check, "kind", None) in (None, *kinds)]

    @functools.cache
    def report() -> Report:
        from chimes.conformance.run import check_installed  # noqa: PLC0415 - needs the extra `check`

        return check_installed(distribution)

    @pytest.mark.parametrize("code", [check.code for check in planned])
    def test_check(self: object, code: str) -> None:
        results = [result for result in report().results if result.code == code]
        findings = [finding for result in results for finding in result.findings if finding.severity == "error"]
        assert not findings, "\n".join(f"{f.message} (fix: {f.fix}) {f.said or ''}" for f in findings)

    return type("TestConformance", (), {"test_check": test_check, "__doc__": f"The suite of {address}."})
