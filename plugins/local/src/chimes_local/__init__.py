"""Compute backend: processes on this machine."""
