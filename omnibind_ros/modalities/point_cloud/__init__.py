"""Point clouds of a lidar, depth camera or hand tracker: a cloud is a sample."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="point_cloud",
    reads=("sensor_msgs/msg/PointCloud2",),
    preprocessor=Lazy(f"{__name__}.preprocessing:PointCloudPreprocessor"),
    publishes="sensor_msgs/msg/PointCloud2",
    frames=Lazy(f"{__name__}.messages:frames"),
    simulate=Lazy(f"{__name__}.simulation:simulate_point_cloud"),
    augment=Lazy(f"{__name__}.training:augment_points"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    from_picture=Lazy(f"{__name__}.recordings:picture_as_points"),
    to_picture=Lazy(f"{__name__}.recordings:points_as_picture"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
