"""The robot file, strictly validated, and the locations of bundles and configuration files."""

from omnibind_ros.config.resources import find_bundle, find_config
from omnibind_ros.config.robot import RobotConfig, SensorConfig, check_modalities, load_robot

__all__ = ["RobotConfig", "SensorConfig", "check_modalities", "find_bundle", "find_config", "load_robot"]
