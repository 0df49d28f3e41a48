"""Judges submissions: assesses runs, decides, and reports."""
