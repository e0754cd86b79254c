"""Simulated sensors of one scene: for demos and tests without recordings, and as extra training data."""
