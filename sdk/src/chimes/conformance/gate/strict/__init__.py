"""The strict reference plugins: exactly the interface and nothing more, packed as wheels for mutants."""
