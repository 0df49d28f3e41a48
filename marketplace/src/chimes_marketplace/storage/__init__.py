"""Blob storage: bytes that are stored under their sha256."""
