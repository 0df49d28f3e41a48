"""The strict reference model."""
