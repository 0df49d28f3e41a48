"""Components in another process: frames, and the values of the interfaces in them."""
