"""Fills the templates of ``chimes new``."""
