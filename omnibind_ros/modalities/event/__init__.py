"""Event cameras: a stream of events, of which a movement is a sample."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="event",
    reads=("event_camera_msgs/msg/EventPacket", "dvs_msgs/msg/EventArray"),
    preprocessor=Lazy(f"{__name__}.preprocessing:EventPreprocessor"),
    publishes="event_camera_msgs/msg/EventPacket",
    depth=50,
    frames=Lazy(f"{__name__}.messages:frames"),
    simulate=Lazy(f"{__name__}.simulation:simulate_event"),
    augment=Lazy(f"{__name__}.training:augment_events"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    from_picture=Lazy(f"{__name__}.recordings:picture_as_events"),
    to_picture=Lazy(f"{__name__}.recordings:events_as_picture"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
