"""The strict reference backend."""
