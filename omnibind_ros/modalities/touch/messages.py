"""What a tactile skin publishes: `sensor_msgs/msg/Image` (mono8) at 120 Hz, a stroke and then rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.frames import Frame, stamped_at_end
from omnibind_ros.modalities.image.messages import image_message

_RATE_HZ = 120.0
_REST_S = 0.6


def touch_message(pressure: NDArray[np.float32], stamp: int, frame_id: str = "") -> Any:
    """`sensor_msgs/msg/Image` (mono8) of one tactile frame, float32 [H,W] in [0,1]; `stamp` in ns."""
    grey = np.rint(np.clip(pressure, 0.0, 1.0) * 255.0).astype(np.uint8)
    return image_message(grey, stamp, frame_id)


def frames(samples: Iterable[NDArray[np.float32]], rng: np.random.Generator) -> Iterator[Frame]:
    for sample in samples:
        rest = np.zeros((round(_REST_S * _RATE_HZ), *sample.shape[1:]), np.float32)
        for pressure in (*sample, *rest):
            yield Frame(1 / _RATE_HZ, stamped_at_end(touch_message, pressure))
