"""Descriptions of distributions as HTML that is safe to show."""
