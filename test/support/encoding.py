"""The embedding of a raw sample, as tests want it: no messages, no threads."""

from __future__ import annotations

from typing import Any

from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.modalities.preprocessor import Sample
from omnibind_ros.types import Embedding


def encode_raw(encoder: SensorEncoder, raw: Any) -> Embedding | None:
    """None if nothing valid is in it."""
    check = encoder.adaptor.check(raw)
    if check.quality <= 0:
        return None
    return encoder.encode(Sample(encoder.adaptor.prepare(raw), 0, "", check.quality, check.reason))
