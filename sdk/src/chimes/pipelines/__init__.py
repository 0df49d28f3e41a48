"""Pipelines: connector, model and output, composed before they run and run as one job."""
