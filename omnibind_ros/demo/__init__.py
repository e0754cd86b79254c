"""The scripted robot: what is done to its sensors, what was seen of it, and whether that was good enough."""
