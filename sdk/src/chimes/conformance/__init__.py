"""Conformance: runs a plugin's components against their kind's suite, from outside."""
