"""The topics of the planner's contract. All but diagnostics are relative: they live under the namespace."""

from __future__ import annotations

import re

RECOGNITION = "omnibind/recognition"
CONTRIBUTIONS = "omnibind/contributions"
HEALTH = "omnibind/health"
FUSED_EMBEDDING = "omnibind/fused_embedding"
LABELS = "omnibind/labels"
DIAGNOSTICS = "/diagnostics"

_EMBEDDING = re.compile(r"(?:.*/)?omnibind/([a-z][a-z0-9_]*)/embedding")


def embedding_topic(sensor: str) -> str:
    """Where the encoder of `sensor` publishes."""
    return f"omnibind/{sensor}/embedding"


def sensor_of_embedding_topic(topic: str) -> str | None:
    """The sensor of an embedding topic (relative, absolute or namespaced); None for any other topic."""
    match = _EMBEDDING.fullmatch(topic)
    return match.group(1) if match else None
