"""Members of the alliance, their users, and the users' upload tokens."""
