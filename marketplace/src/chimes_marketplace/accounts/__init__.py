"""Members of the alliance, their users, and the tokens that they upload with."""
