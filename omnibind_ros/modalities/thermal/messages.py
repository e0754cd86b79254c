"""What a thermal camera publishes: `sensor_msgs/msg/Image` (32FC1), nine a second."""

from omnibind_ros.modalities.frames import one_per_sample
from omnibind_ros.modalities.image.messages import image_message

frames = one_per_sample(1 / 9, image_message)
