"""Components in another process: frames, the values in them, a socket for each session, and proxies."""
