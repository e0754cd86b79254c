"""What a depth sensor publishes: `sensor_msgs/msg/PointCloud2`, five a second."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.modalities.frames import one_per_sample

_FLOAT32 = 7


def cloud_message(points: NDArray[np.float32], stamp: int, frame_id: str = "") -> Any:
    """`sensor_msgs/msg/PointCloud2` of float32 [N,3] points in metres; `stamp` in ns since the epoch."""
    points = np.ascontiguousarray(points, "<f4")
    field = message_class("sensor_msgs/msg/PointField")
    return message_class("sensor_msgs/msg/PointCloud2")(
        header=make_header(stamp, frame_id),
        height=1,
        width=len(points),
        fields=[field(name=axis, offset=4 * i, datatype=_FLOAT32, count=1) for i, axis in enumerate("xyz")],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=points.reshape(-1).view(np.uint8),
        is_dense=bool(np.isfinite(points).all()),
    )


frames = one_per_sample(1 / 5, cloud_message)
