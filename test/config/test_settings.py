"""What a process is told follows from the robot file."""

from __future__ import annotations

import math

from omnibind_ros.config.robot import RobotConfig
from omnibind_ros.config.settings import EncoderSettings, FusionSettings

ROBOT = RobotConfig.model_validate(
    {
        "bundle": "mine",
        "fusion": {"rate_hz": 4.0, "freshness": {"min_timeout_s": 0.7, "periods": 5.0}},
        "encoders": {"precision": "int8"},
        "sensors": {
            "mic": {"modality": "audio", "topic": "mic/audio", "audio": {"rate": 48000}, "respawn": False},
            "keys": {"modality": "text", "topic": "keys"},
        },
    }
)


def test_an_encoder_is_told_of_its_sensor_and_of_what_all_share() -> None:
    mic = EncoderSettings.of(ROBOT, "mic")
    assert (mic.bundle, mic.sensor, mic.modality, mic.topic) == ("mine", "mic", "audio", "mic/audio")
    assert (mic.options["rate"], mic.precision, mic.driver_periods) == (48000, "int8", 5.0)
    assert mic.effective_driver_timeout_s() == 0.7


def test_what_is_held_until_replaced_has_no_driver_that_falls_silent() -> None:
    assert EncoderSettings.of(ROBOT, "keys").effective_driver_timeout_s() == math.inf
    alone = EncoderSettings(sensor="keys", modality="text", topic="keys")
    assert alone.effective_driver_timeout_s() == math.inf
    assert alone.model_copy(update={"modality": "image"}).effective_driver_timeout_s() == 0.5


def test_fusion_is_told_of_the_bundle_besides() -> None:
    settings = FusionSettings.of(ROBOT)
    assert (settings.bundle, settings.rate_hz, settings.freshness.min_timeout_s) == ("mine", 4.0, 0.7)
