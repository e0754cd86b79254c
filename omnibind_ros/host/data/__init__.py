"""Recordings: what a recipe says there is, how files are read, and who is held back for testing. No torch."""
