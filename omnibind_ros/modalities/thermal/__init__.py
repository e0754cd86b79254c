"""Thermal cameras: a picture of temperatures, on any affine scale, is a sample."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="thermal",
    reads=("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"),
    preprocessor=Lazy(f"{__name__}.preprocessing:ThermalPreprocessor"),
    publishes="sensor_msgs/msg/Image",
    frames=Lazy(f"{__name__}.messages:frames"),
    covered=Lazy("omnibind_ros.modalities.image.messages:covered"),
    simulate=Lazy(f"{__name__}.simulation:simulate_thermal"),
    augment=Lazy(f"{__name__}.training:augment_thermal"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    from_picture=Lazy(f"{__name__}.recordings:picture_as_heat"),
    to_picture=Lazy(f"{__name__}.recordings:heat_as_picture"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
