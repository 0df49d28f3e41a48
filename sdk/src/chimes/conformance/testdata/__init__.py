"""Test data of the suites: generated rows, filters, configurations and job programs, and comparisons of results."""
