"""Any sensor that is a few numbers at a fixed rate: inertial units, joints of a robot or a body, wrenches.

A bundle or a recipe brings its own under its own name, with `adaptor: series` and its constants.
"""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="series",
    reads=("sensor_msgs/msg/Imu", "sensor_msgs/msg/JointState", "std_msgs/msg/Float32MultiArray"),
    preprocessor=Lazy(f"{__name__}.preprocessing:SeriesPreprocessor"),
    augment=Lazy(f"{__name__}.training:augment_series"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
