"""A top-level package whose name is reserved."""
