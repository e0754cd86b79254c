"""The nouns of omnibind: embeddings, spaces, recognitions, sensor names, errors. Depends on numpy alone."""

from omnibind_ros.core.embedding import Embedding
from omnibind_ros.core.errors import (
    BadMessage,
    BadRecording,
    BundleError,
    ConfigError,
    OmniBindError,
)
from omnibind_ros.core.modality import MODALITIES, Modality
from omnibind_ros.core.names import check_sensor_name, nearest
from omnibind_ros.core.recognition import Contribution, LabelScore, Recognition
from omnibind_ros.core.sensor_state import SensorState, SensorStatus
from omnibind_ros.core.space import Space

__all__ = [
    "MODALITIES",
    "BadMessage",
    "BadRecording",
    "BundleError",
    "ConfigError",
    "Contribution",
    "Embedding",
    "LabelScore",
    "Modality",
    "OmniBindError",
    "Recognition",
    "SensorState",
    "SensorStatus",
    "Space",
    "check_sensor_name",
    "nearest",
]
