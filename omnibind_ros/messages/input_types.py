"""Which messages a sensor adaptor reads: what an encoder may subscribe to."""

from __future__ import annotations

from omnibind_ros.types import Modality

_PICTURES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")

INPUT_TYPES: dict[Modality, tuple[str, ...]] = {
    "image": _PICTURES,
    "thermal": _PICTURES,
    "touch": _PICTURES,
    "point_cloud": ("sensor_msgs/msg/PointCloud2",),
    "audio": ("audio_common_msgs/msg/AudioDataStamped", "audio_common_msgs/msg/AudioData"),
    "event": ("event_camera_msgs/msg/EventPacket", "dvs_msgs/msg/EventArray"),
    "text": ("std_msgs/msg/String",),
    "series": ("sensor_msgs/msg/Imu", "sensor_msgs/msg/JointState", "std_msgs/msg/Float32MultiArray"),
}
"""Message types by the modality of the adaptor (`Preprocessor.modality`)."""
