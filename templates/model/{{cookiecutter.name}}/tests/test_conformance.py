"""The conformance suite of Chimes, run on the installed plugin: one test for each check."""

from chimes.testing import suite

TestConformance = suite("{{ cookiecutter.name }}")
