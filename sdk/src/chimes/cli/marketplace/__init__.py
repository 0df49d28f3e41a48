"""How the command line talks to a marketplace."""
