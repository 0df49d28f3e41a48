"""The mutation gate: strict reference plugins, mutants of them, and the matrix of checks against mutants."""
