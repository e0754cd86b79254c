"""Plays recordings, simulated sensors and bags as drivers would."""
