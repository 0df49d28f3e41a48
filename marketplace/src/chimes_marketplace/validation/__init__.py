"""Validates submissions: assesses their runs, decides, and reports."""
