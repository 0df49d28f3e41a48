"""The data that the suites ask with: generated rows, filters, programs, and their comparison."""
