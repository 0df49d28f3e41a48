"""What the HTTP packages share: authentication, error responses, addresses, caching."""
