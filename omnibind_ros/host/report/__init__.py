"""The figures of a run as tables, charts and one HTML page."""
