"""The conformance checks, one module for each kind."""
