"""The settings of one process: the part of a robot file that an encoder or fusion needs.

Both transports use them. Under ROS 2 each field is a parameter of the node, and the docstring below the field
is the parameter's description.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from omnibind_ros.config.robot import (
    EncodersConfig,
    Freshness,
    FusionConfig,
    PositiveOrEndless,
    RobotConfig,
    SensorInput,
    SensorName,
)
from omnibind_ros.types import Modality


class FusionSettings(FusionConfig):
    """Settings of the fusion process."""

    bundle: str = "digits"
    """name of an installed bundle, or the path of its folder"""

    @classmethod
    def of(cls, robot: RobotConfig) -> FusionSettings:
        """The settings in a robot file."""
        return cls.model_validate({"bundle": robot.bundle, **robot.fusion.model_dump()})


class EncoderSettings(SensorInput, EncodersConfig):
    """Settings of the encoder process of one sensor."""

    bundle: str = "digits"
    """name of an installed bundle, or the path of its folder"""
    sensor: SensorName
    """name of lower-case letters, digits and '_'; embeddings are published on omnibind/<sensor>/embedding"""
    driver_timeout_s: PositiveOrEndless | None = None
    """a driver silent for this long counts as gone; .inf = never; null = 0.5 s, or .inf for text"""
    driver_periods: Annotated[float, Field(ge=1)] = 3.0
    """a slow driver may be silent for this many of its measured periods"""

    @classmethod
    def of(cls, robot: RobotConfig, sensor: str) -> EncoderSettings:
        """The settings of a sensor in a robot file."""
        device, freshness = robot.sensors[sensor], robot.fusion.freshness
        return cls.model_validate(
            {
                "bundle": robot.bundle,
                "sensor": sensor,
                "driver_timeout_s": _driver_timeout_s(device.modality, freshness),
                "driver_periods": freshness.periods,
                **robot.encoders.model_dump(),
                **device.model_dump(exclude={"respawn", "respawn_delay_s"}),
            }
        )

    def effective_driver_timeout_s(self) -> float:
        """How long a driver may be silent, s; the modality's default if `driver_timeout_s` is null."""
        if self.driver_timeout_s is None:
            return _driver_timeout_s(self.modality, Freshness())
        return self.driver_timeout_s


def _driver_timeout_s(modality: Modality, freshness: Freshness) -> float:
    """Silence of the driver ends no embedding that is held."""
    return math.inf if modality in freshness.hold_s else freshness.min_timeout_s
