"""The settings of a process follow from the robot file."""

from __future__ import annotations

import math

from omnibind_ros.config.robot import Freshness, FusionConfig, RobotConfig
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


def test_an_encoder_has_the_settings_of_its_sensor_and_those_of_all() -> None:
    mic = EncoderSettings.of(ROBOT, "mic")
    assert (mic.bundle, mic.sensor, mic.modality, mic.topic) == ("mine", "mic", "audio", "mic/audio")
    assert (mic.options["rate"], mic.precision, mic.driver_periods) == (48000, "int8", 5.0)
    assert mic.effective_driver_timeout_s() == 0.7


def test_the_driver_of_a_held_modality_has_no_time_out_whatever_the_hold() -> None:
    assert EncoderSettings.of(ROBOT, "keys").effective_driver_timeout_s() == math.inf
    alone = EncoderSettings(sensor="keys", modality="text", topic="keys")
    assert alone.effective_driver_timeout_s() == math.inf
    assert alone.model_copy(update={"modality": "image"}).effective_driver_timeout_s() == 0.5
    for hold in (2.0, math.inf):
        held = ROBOT.model_copy(
            update={"fusion": FusionConfig(freshness=Freshness(hold_s={"audio": hold, "text": hold}))}
        )
        for sensor in ("mic", "keys"):
            assert EncoderSettings.of(held, sensor).effective_driver_timeout_s() == math.inf


def test_fusion_has_its_settings_and_the_bundle() -> None:
    settings = FusionSettings.of(ROBOT)
    assert (settings.bundle, settings.rate_hz, settings.freshness.min_timeout_s) == ("mine", 4.0, 0.7)
