"""What both shells run, and how they run it: encoder, fusion and player without any middleware, processes."""
