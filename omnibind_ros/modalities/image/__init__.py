"""Cameras: a picture is a sample."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="image",
    reads=("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"),
    preprocessor=Lazy(f"{__name__}.preprocessing:ImagePreprocessor"),
    publishes="sensor_msgs/msg/Image",
    frames=Lazy(f"{__name__}.messages:frames"),
    covered=Lazy(f"{__name__}.messages:covered"),
    simulate=Lazy(f"{__name__}.simulation:simulate_image"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    to_picture=Lazy("omnibind_ros.modalities.pictures:as_it_is"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
