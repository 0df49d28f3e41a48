"""Bytes by their sha256, in files."""
