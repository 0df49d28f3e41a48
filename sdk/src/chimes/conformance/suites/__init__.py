"""The conformance checks: one module for each kind, and one for each topic that all kinds share."""
