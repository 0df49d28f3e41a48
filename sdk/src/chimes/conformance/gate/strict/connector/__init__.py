"""The strict reference connector."""
