"""What the HTTP packages share: authentication, access, negotiation, error responses, URLs, caching."""
