"""Child processes, their supervisor, signals, and rate-limited logging."""
