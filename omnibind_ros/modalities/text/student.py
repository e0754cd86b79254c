"""How the student of text is trained."""

STUDENT = {"samples": 60_000, "batch": 128}
