"""Benchmarks of encoders by backend and precision, compared with the peak performance of the machine."""
