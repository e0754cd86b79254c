"""Tactile skins: a stream of small frames, of which a stroke is a sample."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="touch",
    reads=("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"),
    preprocessor=Lazy(f"{__name__}.preprocessing:TouchPreprocessor"),
    min_timeout_s=4.0,
    publishes="sensor_msgs/msg/Image",
    depth=50,
    frames=Lazy(f"{__name__}.messages:frames"),
    simulate=Lazy(f"{__name__}.simulation:simulate_touch"),
    augment=Lazy(f"{__name__}.training:augment_touch"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    from_picture=Lazy(f"{__name__}.recordings:picture_as_touch"),
    to_picture=Lazy(f"{__name__}.recordings:touch_as_picture"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
