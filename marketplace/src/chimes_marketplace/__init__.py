"""A Python package index that lists a plugin only after running it."""

__version__ = "0.1.0"
