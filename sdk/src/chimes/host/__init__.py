"""Calls components: finds them, checks and converts input and output, reports whose fault an error is."""
