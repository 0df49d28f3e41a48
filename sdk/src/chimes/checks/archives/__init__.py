"""Reads zip and tar archives strictly, without trusting anything in them."""
