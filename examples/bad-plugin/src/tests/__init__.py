"""A top-level package with a name that belongs to nobody."""
