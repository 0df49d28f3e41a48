"""Runs what was submitted, through a compute backend, and decides."""
