"""The figures of a run as one HTML page with charts."""
