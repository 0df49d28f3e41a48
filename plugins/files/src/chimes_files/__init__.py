"""Connector for Parquet, CSV, Arrow IPC and JSON Lines files."""
