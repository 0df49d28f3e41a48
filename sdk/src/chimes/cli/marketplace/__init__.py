"""The marketplace client of the command line."""
